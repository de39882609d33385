"""Scale sequences: one network at many internal scales, and their ensemble."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from contconv._scale import Scale, Size
from contconv._types import no_type_check
from contconv.nn._layer import ContinuousConv

Reduce = Callable[[Tensor], Tensor]


def continuous_layers(model: nn.Module) -> list[ContinuousConv]:
    """The continuous layers of a network, in the order of ``model.modules()``.

    That is the order in which they were assigned, usually that of their use. A layer
    that is used several times counts once.
    """
    return [m for m in model.modules() if isinstance(m, ContinuousConv)]


def scales_of(model: nn.Module) -> list[tuple[Fraction, ...]]:
    """The scales of a network's continuous layers: a sequence for `using_scales`.

    Raises:
        ValueError: If a layer has no scale of its own but follows a size.

    Example:
        >>> from torch import nn
        >>> from contconv import ContinuousConv1d
        >>> scales_of(nn.Sequential(ContinuousConv1d(1, 1, 3, scale=0.5), nn.ReLU()))
        [(Fraction(1, 2),)]
    """
    scales = []
    for i, layer in enumerate(continuous_layers(model)):
        if layer.scale is None and layer.size is not None:
            raise ValueError(
                f"layer {i} has a size, {layer.size}, but no scale: it takes what the "
                "size asks for; set its scale, too"
            )
        scales.append(layer.scale or (Fraction(1),) * layer.ndim)
    return scales


@contextmanager
@no_type_check
def using_scales(
    model: nn.Module, sequence: Sequence[Scale], *, size: Size | None = None
) -> Iterator[nn.Module]:
    """Give the continuous layers of a network other scales, for a while.

    A layer with a size of its own keeps it: the grid has the new scale and the old
    number of samples, centred. So the last layer lands on the same shape at every
    scale. The old scales come back at the end, also after an error. Other threads that
    run the same network see the new ones.

    Args:
        model: Any network; also one that `torch.compile` returned, which compiles anew
            for every sequence: compile a `ScaleEnsemble` instead.
        sequence: A scale for each continuous layer, in the order of
            ``model.modules()``: each as ``ContinuousConv2d(scale=...)`` takes it.
        size: Output pixels of the last continuous layer, for networks whose last layer
            has no size of its own.

    Yields:
        The network.

    Raises:
        TypeError: If a scale or a size is of a wrong type.
        ValueError: If there are not as many scales as layers, or one is not positive;
            the network is as it was.

    Example:
        >>> from torch import nn
        >>> from contconv import ContinuousConv2d
        >>> model = nn.Sequential(
        ...     ContinuousConv2d(3, 8, 3, scale=0.5),
        ...     ContinuousConv2d(8, 8, 3, scale=0.5, size=8),
        ... )
        >>> with using_scales(model, [0.8, (0.3, 0.32)]):
        ...     model(torch.rand(1, 3, 32, 32)).shape
        torch.Size([1, 8, 8, 8])
    """
    layers = continuous_layers(model)
    _check_length(layers, sequence)
    before = [(layer._ratios, layer.size) for layer in layers]
    try:
        for layer, scale in zip(layers, sequence, strict=True):
            layer.scale = scale
        if size is not None:
            layers[-1].size = size
        yield model
    finally:
        for layer, (ratios, own) in zip(layers, before, strict=True):
            layer._ratios, layer.size = ratios, own


def _check_length(layers: Sequence[nn.Module], sequence: Any) -> None:
    if isinstance(sequence, (str, bytes)) or not isinstance(sequence, Sequence):
        raise TypeError(
            "sequence must be a list with one scale for each continuous layer, got "
            f"{sequence!r}"
        )
    if not layers:
        raise ValueError("model has no continuous layer whose scale could be set")
    if len(sequence) != len(layers):
        raise ValueError(
            f"sequence must have one scale for each of the {len(layers)} continuous "
            f"layers, got {len(sequence)}"
        )


def median(outputs: Tensor) -> Tensor:
    """The median over the members; the mean of the middle two if they are even."""
    ordered, middle = outputs.sort(0).values, len(outputs) // 2
    return ordered[(len(outputs) - 1) // 2 : middle + 1].mean(0)


_REDUCTIONS: dict[str, Reduce] = {
    "mean": lambda outputs: outputs.mean(0),
    "probabilities": lambda outputs: outputs.softmax(2).mean(0),
    "median": median,
}


class ScaleEnsemble(nn.Module):
    """One network at several scale sequences; its outputs, combined.

    The members share all parameters: the ensemble is as large as the network, and as
    slow as so many networks. ``contconv.models.schedules`` makes sequences.

    Args:
        model: Any network with continuous layers, whose output is one tensor of the
            same shape for every sequence.
        sequences: For each member, a scale for each continuous layer, as for
            `using_scales`; None for the network's own scales.
        reduce: How to combine the outputs: ``"mean"``, of logits or images;
            ``"probabilities"``, the mean of the softmax over dimension 1;
            ``"median"``, element by element; or a function of the outputs,
            ``[members, *output]``.
        size: Output pixels of the last continuous layer, as for `using_scales`.

    Raises:
        TypeError: If ``reduce`` is neither a name nor callable.
        ValueError: If there is no sequence, one does not fit the network, or the name
            is unknown.

    Example:
        >>> from torch import nn
        >>> from contconv import ContinuousConv2d
        >>> model = nn.Sequential(
        ...     ContinuousConv2d(3, 8, 3, scale=0.5),
        ...     ContinuousConv2d(8, 8, 3, scale=0.5, size=8),
        ... )
        >>> ensemble = ScaleEnsemble(model, [None, [0.6, 0.42], [0.4, 0.63]])
        >>> ensemble(torch.rand(1, 3, 32, 32)).shape
        torch.Size([1, 8, 8, 8])
    """

    @no_type_check
    def __init__(
        self,
        model: nn.Module,
        sequences: Sequence[Sequence[Scale] | None],
        *,
        reduce: str | Reduce = "probabilities",
        size: Size | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.sequences = _checked(model, sequences, size)
        self.size, self.reduce = size, _reduction(reduce)

    def forward(self, *args: Any, **options: Any) -> Tensor:
        """Run every member on the same arguments, and combine what they return."""
        return self.reduce(torch.stack(self.members(*args, **options)))

    def members(self, *args: Any, **options: Any) -> list[Tensor]:
        """What each member returns.

        Raises:
            ValueError: If the outputs are not all of one shape.
        """
        outputs = []
        for sequence in self.sequences:
            with using_scales(self.model, sequence, size=self.size):
                outputs.append(self.model(*args, **options))
        shapes = {tuple(output.shape) for output in outputs}
        if len(shapes) > 1:
            raise ValueError(
                f"the members' outputs must have one shape, got {sorted(shapes)}; "
                "give the last continuous layer a size, or the ensemble"
            )
        return outputs

    def extra_repr(self) -> str:
        """How many members, as `repr` shows it."""
        return f"members={len(self.sequences)}"


def _checked(model: nn.Module, sequences: Any, size: Any) -> list[Any]:
    """The scales of each member as whole numbers, which compiled graphs can hold."""
    sequences = list(sequences)
    if not sequences:
        raise ValueError("sequences must hold at least one, None for the network's own")
    layers, checked = continuous_layers(model), []
    for sequence in sequences:
        own: list[Any] = [layer._ratios for layer in layers]
        with using_scales(model, own if sequence is None else sequence, size=size):
            checked.append([layer._ratios for layer in layers])
    return checked


@no_type_check
def _reduction(reduce: Reduce | str) -> Reduce:
    if not isinstance(reduce, str):
        if callable(reduce):
            return reduce
        raise TypeError(
            f"reduce must be one of {sorted(_REDUCTIONS)} or a function, got {reduce!r}"
        )
    if reduce not in _REDUCTIONS:
        raise ValueError(
            f"unknown reduce {reduce!r}; choose one of {sorted(_REDUCTIONS)} or pass a "
            "function of the outputs, [members, *output]"
        )
    return _REDUCTIONS[reduce]
