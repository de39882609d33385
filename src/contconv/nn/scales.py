"""Scale sequences: the scales of all continuous layers of a network."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from torch import nn

from contconv._grid.ratio import Scale, Size
from contconv._runtime.shapes import no_type_check
from contconv.nn.layer import ContinuousConv


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
