"""Scales and sizes as users give them, checked and turned into whole numbers."""

import math
from collections.abc import Sequence
from fractions import Fraction
from numbers import Integral, Rational, Real
from typing import Any, NamedTuple, TypeAlias

import torch

from contconv._axis import Axis
from contconv._placement import Placement, conv_placement

Scale: TypeAlias = Real | float | Sequence[Real | float]
Size: TypeAlias = int | Sequence[int]
Placements: TypeAlias = tuple[Placement, ...]
Padding: TypeAlias = int | Sequence[int]

# Floats become the nearest ratio with a denominator up to this.
MAX_DENOMINATOR = 10**6

_CENTRED = Placement()


class Ratio(NamedTuple):
    """A scale in lowest terms, output over input."""

    up: int
    down: int


def per_axis(value: Any, ndim: int, name: str) -> tuple[Any, ...]:
    """``value`` once per axis: a single value is repeated, a sequence must fit."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        return (value,) * ndim
    if len(value) != ndim:
        raise ValueError(
            f"{name} must be one value or one for each of the {ndim} axes, "
            f"got {len(value)}: {tuple(value)}"
        )
    return tuple(value)


def as_ratio(scale: Any) -> Ratio:
    """The scale as a ratio of whole numbers; floats to six digits of denominator."""
    if isinstance(scale, Ratio):
        return scale
    if isinstance(scale, bool) or not isinstance(scale, Real):
        raise TypeError(
            "scale must be an int, a float or a Fraction, or one of these per axis, "
            f"got {type(scale).__name__}"
        )
    if not math.isfinite(scale) or scale <= 0:
        raise ValueError(f"scale must be positive and finite, got {scale}")
    if isinstance(scale, Rational):
        exact = Fraction(scale)
    else:
        exact = Fraction(float(scale)).limit_denominator(MAX_DENOMINATOR)
    if exact == 0:
        raise ValueError(
            f"scale must be at least {1 / MAX_DENOMINATOR:g} as a float, got {scale}; "
            "pass a Fraction for a smaller one"
        )
    # A NumPy integer would stay one, and overflow where Python's grow.
    return Ratio(int(exact.numerator), int(exact.denominator))


def as_ratios(scale: Any, ndim: int) -> tuple[Ratio, ...]:
    """One ratio per axis."""
    return tuple(as_ratio(value) for value in per_axis(scale, ndim, "scale"))


def as_whole(value: Any, name: str) -> int:
    """A whole number of at least 1; ``name`` is what errors call it."""
    if isinstance(value, torch.SymInt):
        return value  # type: ignore  # of a graph that is being exported
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"{name} must be a whole number, got {value!r} ({type(value).__name__})"
        )
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return int(value)


def as_sizes(size: Any, ndim: int, name: str = "size") -> tuple[int, ...]:
    """One whole number per axis, as of pixels; ``name`` is what errors call it."""
    return tuple(as_whole(value, name) for value in per_axis(size, ndim, name))


def as_placements(padding: Any, kernel_size: Sequence[int]) -> Placements | None:
    """For each axis, the placement of a convolution with so much padding.

    None is a centred grid; placements stay what they are.
    """
    if padding is None or _are_placements(padding):
        return padding
    values = per_axis(padding, len(kernel_size), "padding")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(
                "padding must be a whole number of pixels, one for all axes or for "
                f"each, or None for a centred grid, got {value!r}"
            )
        if value < 0:
            raise ValueError(f"padding must not be negative, got {value}")
    pairs = zip(kernel_size, map(int, values), strict=True)
    return tuple(conv_placement(width, pixels, pixels) for width, pixels in pairs)


def _are_placements(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(v, Placement) for v in value)


def resized_axes(
    in_sizes: Sequence[int],
    support: Sequence[int],
    ratios: Sequence[Ratio] | None,
    sizes: Sequence[int] | None,
    antialias: bool = False,
    placements: Placements | None = None,
) -> tuple[Axis, ...]:
    """The axes of a resized image.

    A scale alone gives ``ceil(scale * in_size)`` pixels, a size alone the scale
    ``out_size / in_size``; with both, the grid keeps the scale and is centred.
    Placements change the size that a scale alone gives, and where the grid begins.
    """
    axes = []
    for i, (in_size, width) in enumerate(zip(in_sizes, support, strict=True)):
        if ratios is not None:
            up, down = ratios[i]
        else:
            assert sizes is not None
            up, down = sizes[i], in_size
            if not torch.compiler.is_compiling():  # symbols have no common divisor
                common = math.gcd(up, down)
                up, down = up // common, down // common
        where = _CENTRED if placements is None else placements[i]
        out_size = where.size(in_size, up, down) if sizes is None else sizes[i]
        start = where.start(up, down)
        axes.append(Axis(in_size, out_size, up, down, width, antialias, start))
    return tuple(axes)
