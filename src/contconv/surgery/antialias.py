"""Layers that shrink, and activations, without aliasing: what `convert` puts there."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from torch import nn

from contconv._grid.placement import conv_placement
from contconv.nn import AliasFree
from contconv.surgery.conversion import Row, Swap
from contconv.surgery.discrete import AVERAGES, CONVOLUTIONS, MAXIMA, Discrete
from contconv.surgery.find import Match
from contconv.surgery.fixed import LOW_PASS, Fixed, settings_of
from contconv.surgery.replace import places

# Modules that act on each value alone. Others, such as nn.PReLU and nn.GLU, look at the
# channels; those that act on a few values only, such as nn.Dropout, are none.
ACTIVATIONS = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.Mish,
    nn.ReLU,
    nn.SELU,
    nn.Sigmoid,
    nn.SiLU,
    nn.Softplus,
    nn.Softsign,
    nn.Tanh,
)


def antialiased(one: Match, padding_mode: str) -> Match:
    """What shrinks, with a low-pass filter; other layers as they are.

    Args:
        one: A layer that was found.
        padding_mode: Of the filter, in the place of zeros.
    """
    if isinstance(one.discrete, Discrete):
        if not _shrinks(one.discrete):
            return one
        mode = one.discrete.padding_mode
        mode = padding_mode if mode == "zeros" else mode
        found = replace(one.discrete, padding_mode=mode, low_passed=True)
        return replace(one, discrete=found)
    return _pooled(one, padding_mode) if len(one.modules) == 1 else one


def _shrinks(discrete: Discrete) -> bool:
    """Whether a layer takes fewer pixels than it is given, and enlarges on no axis."""
    whole = all(parts == 1 for parts in discrete.origin.parts)
    return whole and any(scale < 1 for scale in discrete.scale)


def padding_of(model: nn.Module) -> str:
    """What lies beyond the features: as of a network's convolutions, if not zeros.

    Zeros would darken what is filtered.
    """
    modes = {
        module.padding_mode
        for module in model.modules()
        if isinstance(module, CONVOLUTIONS) and max(module.kernel_size) > 1
    }
    return modes.pop() if len(modes) == 1 and modes != {"zeros"} else "replicate"


def _pooled(one: Match, padding_mode: str) -> Match:
    """A pooling as a low-pass filter, after a maximum or in the place of a mean."""
    (module,) = one.modules
    settings = _settings(module)
    if settings is None:
        return one
    means = isinstance(module, AVERAGES)
    widths = settings["kernel_size"] if means else [1] * len(settings["kernel_size"])
    pads = settings["padding"] if means else [0] * len(widths)
    placements = [conv_placement(k, p, p) for k, p in zip(widths, pads, strict=True)]
    scale = [Fraction(1, step) for step in settings["stride"]]
    found = Fixed(module, LOW_PASS, scale, None, tuple(placements), padding_mode)
    return replace(one, discrete=found, reason="")


def _settings(module: nn.Module) -> dict[str, Any] | None:
    """Those of a pooling that shrinks, as it is for a low-pass filter to replace."""
    for kinds in (AVERAGES, MAXIMA):
        if type(module) in kinds:
            settings = settings_of(module, 1 + kinds.index(type(module)))
            strides = settings["stride"]
            plain = not settings["ceil_mode"] and not settings["divisor_override"]
            return settings if plain and any(step > 1 for step in strides) else None
    return None


def after_maximum(module: nn.Module, layer: nn.Module) -> nn.Module:
    """A low-pass filter after the maximum, which is taken at every pixel."""
    if not isinstance(module, MAXIMA):
        return layer
    stride, dilation = 1, module.dilation
    dense = type(module)(module.kernel_size, stride, module.padding, dilation)
    return nn.Sequential(dense, layer).train(module.training)


def activations(
    model: nn.Module, where: Callable[[str, nn.Module], bool] | None, padding_mode: str
) -> Iterator[tuple[Row, Swap]]:
    """Each activation that is chosen, at a finer sampling in its place."""
    axes = _axes(model)
    inside = {
        id(m.activation) for m in model.modules() if isinstance(m, AliasFree)
    }  # those that are so already
    for name, module in model.named_modules():
        if type(module) not in ACTIVATIONS or id(module) in inside:
            continue
        if where is None or where(name, module):
            layer = AliasFree(module, ndim=axes, padding_mode=padding_mode)
            layer.train(module.training)
            row = Row(
                name,
                type(module).__name__,
                becomes="AliasFree",
                note=f"at {layer.up} times the pixels",
            )
            yield row, Swap(places(model, module), module, layer)


def _axes(model: nn.Module) -> int:
    """Of the features: those of the first convolution, 2 if there is none."""
    kinds = [type(m) for m in model.modules() if type(m) in CONVOLUTIONS]
    return 1 + CONVOLUTIONS.index(kinds[0]) if kinds else 2
