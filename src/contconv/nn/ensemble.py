"""Scale sequences: one network at many internal scales, and their ensemble."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from contconv._grid.ratio import Scale, Size
from contconv._runtime.shapes import no_type_check
from contconv.nn.layer import as_leaf
from contconv.nn.scales import continuous_layers, using_scales

Reduce = Callable[[Tensor], Tensor]


def median(outputs: Tensor) -> Tensor:
    """The median over the members; the mean of the middle two if they are even."""
    ordered, middle = outputs.sort(0).values, len(outputs) // 2
    return ordered[(len(outputs) - 1) // 2 : middle + 1].mean(0)


def mean(outputs: Tensor) -> Tensor:
    """The mean over the members."""
    return outputs.mean(0)


def probabilities(outputs: Tensor) -> Tensor:
    """The mean of the softmax over dimension 1 of each output."""
    return outputs.softmax(2).mean(0)


# By functions that have names, so that an ensemble can be pickled.
_REDUCTIONS: dict[str, Reduce] = {
    "mean": mean,
    "probabilities": probabilities,
    "median": median,
}


class ScaleEnsemble(nn.Module):
    """One network at several scale sequences; its outputs, combined.

    The members share all parameters: the ensemble is as large as the network, and as
    slow as so many networks. ``contconv.models.schedules`` makes sequences.

    Args:
        model: Any network with continuous layers, whose output is one tensor of the
            same shape for every sequence.
        sequences: For each member, a scale for each continuous layer or by name, as for
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
        sequences: Sequence[Sequence[Scale] | Mapping[str, Scale] | None],
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
        if any(isinstance(one, fx.Proxy) for one in args):
            leaf: Any = as_leaf(self, *args, **options)
            return leaf
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
        # No set of shapes: sizes that are free in a graph cannot be hashed.
        if any(output.shape != outputs[0].shape for output in outputs):
            shapes = sorted({tuple(output.shape) for output in outputs})
            raise ValueError(
                f"the members' outputs must have one shape, got {shapes}; "
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
