"""The size of the output, from what the command line says."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from contconv_cli.errors import PictureError

# Options that take two numbers.
_PAIRS = ("--scale", "--size", "--fit")

# Weights take memory in proportion to a scale, or to one over it.
_MOST_SCALE = 10**6

_WAYS = (
    "--scale 2.7, --scale SY SX, --width 1920, --height 1080, --longest 1920, "
    "--fit 1920x1080, or --size 1920x1080"
)

Size = tuple[int, int]


@dataclass(frozen=True)
class Wanted:
    """What the output is to measure; all but one are None, and pairs vertical first.

    Attributes:
        scale: Output over input pixels.
        size: The pixels themselves.
        stretch: Whether a size may change the shape.
        width: The width; the height follows.
        height: The height; the width follows.
        longest: The longer side; the other one follows.
        fit: A box to fill, as far as the shape allows.
    """

    scale: tuple[Fraction, Fraction] | None = None
    size: Size | None = None
    stretch: bool = False
    width: int | None = None
    height: int | None = None
    longest: int | None = None
    fit: Size | None = None

    def of(self, size: Size) -> Size:
        """Height and width of what a picture of this height and width becomes."""
        if self.size is not None:
            return self.size
        if self.scale is not None:
            sides = zip(size, self.scale, strict=True)
            height, width = (math.ceil(side * scale) for side, scale in sides)
            return height, width
        scale = self._one_scale(size)
        height, width = (
            max(math.floor(side * scale + Fraction(1, 2)), 1) for side in size
        )
        return height, width

    def _one_scale(self, size: Size) -> Fraction:
        height, width = size
        if self.width is not None:
            return Fraction(self.width, width)
        if self.height is not None:
            return Fraction(self.height, height)
        if self.longest is not None:
            return Fraction(self.longest, max(size))
        assert self.fit is not None
        return min(Fraction(self.fit[0], height), Fraction(self.fit[1], width))

    def scales(self, size: Size) -> tuple[Fraction, Fraction]:
        """Output over input pixels, vertical first."""
        if self.scale is not None:
            return self.scale
        height, width = self.of(size)
        return Fraction(height, size[0]), Fraction(width, size[1])

    def check(self, size: Size, max_pixels: int, *, growing: bool) -> None:
        """Raise PictureError if the output is too large, too small, or distorted."""
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
        # A pixel more or less than the shape asks for is none of it.
        distorts = abs(width * size[0] - height * size[1]) >= max(size)
        if self.size is not None and distorts and not self.stretch:
            raise PictureError(
                f"it has {size[1]} x {size[0]} pixels, and {width} x {height} would "
                f"distort it; --fit {width}x{height} keeps its shape, --stretch does "
                "distort it"
            )

    @property
    def label(self) -> str:
        """For the name of a file, such as ``2.7x``."""
        if self.scale is not None:
            down, across = map(_short, self.scale)
            return f"{down}x" if down == across else f"{down}x{across}x"
        height, width = self.size or self.fit or (0, 0)
        if height:
            return f"{width}x{height}"
        sides = {"w": self.width, "h": self.height, "px": self.longest}
        return next(f"{side}{unit}" for unit, side in sides.items() if side)


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with the two numbers after ``--scale`` and the like as one."""
    out: list[str] = []
    for i, argument in enumerate(arguments):
        if argument == "--":
            return [*out, *arguments[i:]]
        before = arguments[max(0, i - 2) : i]
        second = len(before) == 2 and before[0] in _PAIRS and before[1] not in _PAIRS
        option, equals, _ = before[-1].partition("=") if before else ("", "", "")
        second = second or bool(option in _PAIRS and equals)
        if second and _number(argument) is not None:
            out[-1] += " " + argument
        else:
            out.append(argument)
    return out


def as_wanted(
    *,
    scale: str | None = None,
    size: str | None = None,
    width: int | None = None,
    height: int | None = None,
    longest: int | None = None,
    fit: str | None = None,
    stretch: bool = False,
) -> Wanted:
    """What the options say.

    Raises:
        ValueError: If none or several of them are there, or one cannot be understood.
    """
    sides = {"--width": width, "--height": height, "--longest": longest}
    for name, side in sides.items():
        if side is not None and side < 1:
            raise ValueError(f"{name} must be at least 1 pixel, got {side}")
    one = [width, height] if width is None or height is None else [width]
    given = sum(value is not None for value in (scale, size, longest, fit, *one))
    if given != 1:
        raise ValueError(f"give a size: {_WAYS}; one of them")
    if scale is not None:
        return Wanted(scale=_scales(scale))
    if fit is not None:
        return Wanted(fit=_sides("--fit", fit))
    if size is not None or width is not None is not height:
        sides = _sides("--size", size) if size is not None else (height, width)
        return Wanted(size=sides, stretch=stretch)  # type: ignore
    return Wanted(width=width, height=height, longest=longest)


def _sides(option: str, text: str) -> Size:
    parts = re.split(r"\s*[x×*]\s*|\s+", text.strip().lower())  # noqa: RUF001
    # Beyond 18 digits a number may be too long to be one.
    if len(parts) != 2 or not all(
        p.isdecimal() and len(p) <= 18 and int(p) > 0 for p in parts
    ):
        way = (
            "" if option == "--fit" else "; of one side, --width 1920 or --longest 1920"
        )
        way = f"; --scale {text} is a scale" if text.endswith("%") else way
        raise ValueError(
            f"{option} must be width and height in pixels, such as {option} 1920x1080, "
            f"got {text}{way}"
        )
    return int(parts[1]), int(parts[0])


def _scales(text: str) -> tuple[Fraction, Fraction]:
    parts = re.split(r"\s+|(?<=[\d.%])[x×](?=[\d.])", text.strip().lower())  # noqa: RUF001
    if len(parts) > 2:
        raise ValueError(f"--scale takes one number or two, got {text}")
    scales = [_scale(part, text) for part in parts]
    return scales[0], scales[-1]


def _scale(text: str, both: str) -> Fraction:
    """One of the numbers of ``both``, which may be the only one."""
    scale = _number(text)
    if scale is None or scale <= 0:
        way = f"; write {text.replace(',', '.')}" if re.search(r"\d,\d", text) else ""
        of = "" if text == both.strip().lower() else f" in {both!r}"
        raise ValueError(
            "--scale must be positive, such as 2.7, 2x, 8/3 or 50%, or two such "
            f"numbers, vertical and horizontal, got {text!r}{of}{way}"
        )
    if not 1 / _MOST_SCALE <= scale <= _MOST_SCALE:
        raise ValueError(
            f"--scale must lie between 1/{_MOST_SCALE} and {_MOST_SCALE}, got {text}; "
            "--size gives the pixels themselves"
        )
    return scale


def _number(text: str) -> Fraction | None:
    """The exact number, 2x and 200% too; None if it is none, or of many digits.

    Of 1e99999999, a fraction would write out all zeros.
    """
    if re.search(r"e[+-]?0*[1-9]\d{3,}", text, re.IGNORECASE):
        return None
    unit = Fraction(1, 100) if text.endswith("%") else 1
    try:
        return Fraction(re.sub(r"^[x×]|[x×%]$", "", text, flags=re.IGNORECASE)) * unit  # noqa: RUF001
    except (ValueError, ZeroDivisionError):
        return None


def _short(scale: Fraction) -> str:
    decimal = f"{float(scale):.6g}"
    exact = Fraction(decimal) == scale and "e" not in decimal
    return decimal if exact else f"{scale.numerator}-{scale.denominator}"
