"""The size of the output, from what the command line says."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from contconv_cli.errors import PictureError

_OPTIONS = ("--scale", "--size")

# Weights take memory in proportion to a scale, or to one over it.
_MOST_SCALE = 10**6


@dataclass(frozen=True)
class Wanted:
    """A scale or a size, each vertical first; one of them is None."""

    scale: tuple[Fraction, Fraction] | None = None
    size: tuple[int, int] | None = None

    def of(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of what a picture of this height and width becomes."""
        if self.size is not None:
            return self.size
        assert self.scale is not None
        sides = zip(size, self.scale, strict=True)
        height, width = (math.ceil(side * scale) for side, scale in sides)
        return height, width

    def check(self, size: tuple[int, int], max_pixels: int, *, growing: bool) -> None:
        """Raise PictureError if the output would be too large, or too small."""
        height, width = self.of(size)
        if height * width > max_pixels:
            raise PictureError(
                f"the output would have {width} x {height} pixels, more than the "
                f"{max_pixels} of --max-pixels"
            )
        if growing and (height < size[0] or width < size[1]):
            raise PictureError(
                f"it has {size[1]} x {size[0]} pixels, the output would have {width} x "
                f"{height}; contconv resize makes pictures smaller"
            )


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with the two numbers after ``--scale`` or ``--size`` as one."""
    out: list[str] = []
    for i, argument in enumerate(arguments):
        option, first = arguments[max(0, i - 2) : i] if i > 1 else ("", "")
        second = option in _OPTIONS and first not in _OPTIONS
        if second and _number(argument) is not None:
            out[-1] += "x" + argument
        else:
            out.append(argument)
    return out


def as_wanted(scale: str | None, size: str | None) -> Wanted:
    """What ``--scale`` and ``--size`` say.

    Raises:
        ValueError: If both or neither are there, or one cannot be understood.
    """
    if (scale is None) == (size is None):
        raise ValueError("give --scale S, --scale SY SX, or --size W H; one of them")
    if scale is not None:
        parts = [_scale(part) for part in scale.split("x")]
        return Wanted(scale=(parts[0], parts[-1]))
    assert size is not None
    parts = size.split("x")
    if len(parts) != 2 or not all(p.isdecimal() and int(p) > 0 for p in parts):
        raise ValueError(
            "--size must be width and height in pixels, such as --size 1920 1080, got "
            + size.replace("x", " ")
        )
    return Wanted(size=(int(parts[1]), int(parts[0])))


def _scale(text: str) -> Fraction:
    scale = _number(text)
    if scale is None or scale <= 0:
        raise ValueError(
            "--scale must be positive, such as 2.7 or 8/3, or two such numbers, "
            f"vertical and horizontal, got {text}"
        )
    if not 1 / _MOST_SCALE <= scale <= _MOST_SCALE:
        raise ValueError(
            f"--scale must lie between 1/{_MOST_SCALE} and {_MOST_SCALE}, got {text}; "
            "--size gives the pixels themselves"
        )
    return scale


def _number(text: str) -> Fraction | None:
    """The exact number; None if it is none, or has an exponent of many digits.

    Of 1e99999999, a fraction would write out all zeros.
    """
    if re.search(r"e[+-]?0*[1-9]\d{3,}", text, re.IGNORECASE):
        return None
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
