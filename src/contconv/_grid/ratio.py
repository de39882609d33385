"""Scales and sizes as users give them, checked and turned into whole numbers."""

import math
from collections.abc import Sequence
from fractions import Fraction
from numbers import Rational, Real
from typing import Any, NamedTuple, TypeAlias

from contconv._runtime.arguments import per_axis
from contconv._runtime.text import whole_text

Scale: TypeAlias = Real | float | Sequence[Real | float]
Size: TypeAlias = int | Sequence[int]


# Floats become the nearest ratio with a denominator up to this.
MAX_DENOMINATOR = 10**6

# No axis of a pixel could be resized by larger terms: `Axis` multiplies them by sizes.
_LARGEST = 2**58


class Ratio(NamedTuple):
    """A scale in lowest terms, output over input."""

    up: int
    down: int


def as_ratio(scale: Any) -> Ratio:
    """The scale as a ratio of whole numbers; floats to six digits of denominator."""
    if isinstance(scale, Ratio):
        return scale
    if type(scale) is float:
        return _nearest(scale)
    if isinstance(scale, bool) or not isinstance(scale, Real):
        raise TypeError(
            "scale must be an int, a float or a Fraction, or one of these per axis, "
            f"got {type(scale).__name__}{_way_out(scale)}"
        )
    if not isinstance(scale, Rational):
        return _nearest(float(scale))
    exact = Fraction(scale)
    if exact <= 0:
        raise ValueError(f"scale must be positive and finite, got {_text(exact)}")
    return _checked(exact)


def _nearest(scale: float) -> Ratio:
    if not math.isfinite(scale) or scale <= 0:
        raise ValueError(f"scale must be positive and finite, got {scale}")
    near = Fraction(scale).limit_denominator(MAX_DENOMINATOR)
    if near == 0:
        raise ValueError(
            f"scale must be at least {1 / MAX_DENOMINATOR:g} as a float, got {scale}; "
            "pass a Fraction for a smaller one"
        )
    return _checked(near)


def _checked(exact: Fraction) -> Ratio:
    if max(exact.numerator, exact.denominator) > _LARGEST:
        raise ValueError(
            f"scale needs whole numbers beyond 64 bits, got {_text(exact)}; round it "
            "with Fraction.limit_denominator(10**6), or ask for less"
        )
    # A NumPy integer would stay one, and overflow where Python's grow.
    return Ratio(int(exact.numerator), int(exact.denominator))


def _text(scale: Fraction) -> str:
    if scale.denominator == 1:
        return whole_text(scale.numerator)
    return f"{whole_text(scale.numerator)}/{whole_text(scale.denominator)}"


def _way_out(scale: Any) -> str:
    """What to write instead of something that holds numbers."""
    if isinstance(scale, str):
        try:
            Fraction(scale)
        except (ValueError, ZeroDivisionError):
            return ""
        return f"; for instance Fraction({scale!r}) makes a number of it"
    if hasattr(scale, "tolist"):
        return "; pass scale.tolist(), or learn it as a LearnableScale of a layer"
    return ""


def as_ratios(scale: Any, ndim: int) -> tuple[Ratio, ...]:
    """One ratio per axis."""
    if type(scale) is float:
        return (as_ratio(scale),) * ndim
    return tuple(as_ratio(value) for value in per_axis(scale, ndim, "scale"))
