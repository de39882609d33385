"""Scale sequences: the scales of all continuous layers of a network."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any

from torch import nn

from contconv._grid.ratio import Scale, Size, as_ratios
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
    model: nn.Module,
    sequence: Sequence[Scale] | Mapping[str, Scale] | None = None,
    *,
    factor: Scale | None = None,
    size: Size | None = None,
) -> Iterator[nn.Module]:
    """Give the continuous layers of a network other scales, for a while.

    A layer with a size of its own keeps it: the grid has the new scale and the old
    number of samples, centred. So the last layer lands on the same shape at every
    scale. The old scales come back at the end, also after an error; where several
    blocks overlap, as in generators, after the last of them. Other threads that
    run the same network see the new ones.

    Branches that meet again, as the two of a residual block, need scales that give both
    the same size. Where they do not, PyTorch's error has a note with the scales.

    Args:
        model: Any network; also one that `torch.compile` returned, which compiles anew
            for every sequence: compile a `ScaleEnsemble` instead.
        sequence: A scale for each continuous layer, in the order of
            ``model.modules()``: each as ``ContinuousConv2d(scale=...)`` takes it. Or a
            dictionary of scales by the names of layers, as ``named_modules`` has them;
            ``*`` stands for anything, as in file names. Later entries come before
            earlier ones, and layers that none names keep their scale.
        factor: Instead of these, what every layer's scale is multiplied by, exactly.
        size: Output pixels of the last continuous layer, for networks whose last layer
            has no size of its own.

    Yields:
        The network.

    Raises:
        TypeError: If a scale or a size is of a wrong type.
        ValueError: If there are not as many scales as layers, a name is that of none,
            or a scale is not positive; the network is as it was.

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
        >>> with using_scales(model, factor=0.8):
        ...     scales_of(model)[0]
        (Fraction(2, 5), Fraction(2, 5))
        >>> with using_scales(model, {"1": 0.3}):
        ...     scales_of(model)[1]
        (Fraction(3, 10), Fraction(3, 10))
    """
    layers = continuous_layers(model)
    scales = _new_scales(model, sequence, factor)
    before = [_opened(layer) for layer in layers]
    try:
        for layer, scale in zip(layers, scales, strict=True):
            layer.scale = scale
        if size is not None:
            layers[-1].size = size
        yield model
    except RuntimeError as error:
        if "size" in str(error) or "shape" in str(error):
            error.add_note(_note(model, before))
        raise
    finally:
        for layer, own in zip(layers, before, strict=True):
            _close(layer, own)


def _opened(layer: ContinuousConv) -> list[Any]:
    """What a layer has at the beginning of a while, to be put back at its end."""
    own = [layer._ratios, layer._size]
    layer._before = (*layer._before, own)
    return own


def _close(layer: ContinuousConv, own: list[Any]) -> None:
    """End a while; of one that began earlier than others, what it began with.

    It goes to the one after it, as generators and threads that take turns want it.
    """
    place = [one is own for one in layer._before].index(True)
    earlier, later = layer._before[:place], layer._before[place + 1 :]
    if later:
        later[0][:] = own
    else:
        layer._ratios, layer._size = own
    layer._before = (*earlier, *later)


def _new_scales(model: nn.Module, sequence: Any, factor: Any) -> Sequence[Any]:
    """A scale for each continuous layer."""
    if (sequence is None) == (factor is None):
        raise ValueError("give either a sequence of scales, or the factor of all")
    layers = continuous_layers(model)
    if not layers:
        raise ValueError("model has no continuous layer whose scale could be set")
    if factor is not None:
        own = zip(scales_of(model), layers, strict=True)
        return [_multiplied(scale, factor, layer.ndim) for scale, layer in own]
    if isinstance(sequence, Mapping):
        return _by_name(model, sequence)
    _check_length(layers, sequence)
    return sequence


def _multiplied(scale: Sequence[Fraction], factor: Any, ndim: int) -> list[Fraction]:
    factors = as_ratios(factor, ndim)
    return [one * Fraction(*by) for one, by in zip(scale, factors, strict=True)]


def _by_name(model: nn.Module, scales: Mapping[Any, Any]) -> list[Any]:
    """A scale for each continuous layer, from patterns of names."""
    names = _names(model)
    found = {layer: layer._ratios for layer in names}
    for pattern, scale in scales.items():
        named = [layer for layer, name in names.items() if _fits(name, pattern)]
        if not named:
            known = ", ".join(map(repr, names.values()))
            raise ValueError(
                f"no continuous layer is named {pattern!r}; the names are {known}, and "
                '"*" stands for anything in a name'
            )
        found.update(dict.fromkeys(named, scale))
    return list(found.values())


def _names(model: nn.Module) -> dict[ContinuousConv, str]:
    modules = model.named_modules()
    return {m: name for name, m in modules if isinstance(m, ContinuousConv)}


def _fits(name: str, pattern: Any) -> bool:
    return isinstance(pattern, str) and fnmatchcase(name, pattern)


def _note(model: nn.Module, before: Sequence[list[Any]]) -> str:
    """Which scales differ from those that the layers had."""
    changes = [
        f"{name or 'the layer'} {_text(ratios)} -> {_text(layer._ratios)}"
        for (layer, name), (ratios, _) in zip(
            _names(model).items(), before, strict=True
        )
        if layer._ratios != ratios
    ]
    more = f", and {len(changes) - 8} more" if len(changes) > 8 else ""
    return (
        f"contconv.using_scales had changed the scales {', '.join(changes[:8])}{more}; "
        "layers whose outputs meet need scales that give the same size"
    )


def _text(ratios: Sequence[tuple[int, int]] | None) -> str:
    if ratios is None:
        return "none"
    return " x ".join(dict.fromkeys(str(Fraction(*ratio)) for ratio in ratios))


def _check_length(layers: Sequence[nn.Module], sequence: Any) -> None:
    if isinstance(sequence, (str, bytes)) or not isinstance(sequence, Sequence):
        raise TypeError(
            "sequence must be a list with one scale for each continuous layer, or a "
            f"dictionary of scales by name, got {sequence!r}"
        )
    if len(sequence) != len(layers):
        raise ValueError(
            f"sequence must have one scale for each of the {len(layers)} continuous "
            f"layers, got {len(sequence)}"
        )
