"""Placement: where the grid of an axis lies, and how many pixels a scale gives it."""

from collections.abc import Sequence
from fractions import Fraction
from numbers import Integral
from typing import Any, NamedTuple, TypeAlias

import torch

from contconv._runtime.arguments import as_count, per_axis


class Placement(NamedTuple):
    """Where the output pixels of an axis lie, at any scale and input size.

    A continuous layer's own grid covers the input's extent and is centred on it. Others
    are counted from the first pixel or its boundary, and that of ``nn.Conv2d`` has a
    size of its own. Whole numbers say all this, so that nothing is rounded.

    Args:
        more: Pixels beyond the input that count for the size, which is ``ceil(scale *
            (in + more / parts))``.
        parts: What ``more`` is divided by.
        pixels: Half input pixels from the first input to the first output pixel; None
            for a centred grid.
        outputs: Half output pixels to be added to these.
    """

    more: int = 0
    parts: int = 1
    pixels: int | None = None
    outputs: int = 0

    def size(self, in_size: int, up: int, down: int) -> int:
        """How many output pixels there are at a scale of ``up / down``."""
        over = down * self.parts
        size = (up * (in_size * self.parts + self.more) + over - 1) // over
        # In a graph that is exported it may be a symbol of any value.
        if self.more < 0 and not torch.compiler.is_exporting() and size < 1:
            least = -self.more // self.parts + 1
            raise ValueError(
                f"input must have at least {least} pixels on an axis for this padding, "
                f"got {in_size}"
            )
        return size

    def start(self, up: int, down: int) -> int | None:
        """Where the first output pixel falls: `Axis.position` of it."""
        return None if self.pixels is None else self.pixels * up + self.outputs * down

    def __str__(self) -> str:
        """In words."""
        if self == _EDGE:
            return "first edge on first edge"
        words = []
        if self.more:
            words.append(f"{Fraction(self.more, self.parts)} pixels more")
        if self.pixels is not None:
            first = Fraction(self.pixels, 2)
            at = f"first at {first}" if first or not self.outputs else "first at"
            if self.outputs:
                at += f" {Fraction(self.outputs, 2)} outputs"
            words.append(at)
        return ", ".join(words) or "centred"


def conv_placement(width: int, before: int, after: int) -> Placement:
    """The placement of a convolution ``width`` pixels wide, with padding.

    Its first window begins so many pixels before the image, and the last one ends as
    many after it at most, whatever the stride.
    """
    return Placement(before + after - width + 1, pixels=width - 1 - 2 * before)


Placements: TypeAlias = tuple[Placement, ...]

Padding: TypeAlias = int | Sequence[int]

# Half an output pixel less half an input pixel: the first boundaries coincide.
_EDGE = Placement(pixels=-1, outputs=1)

_ALIGNED = {"center": Placement(), "edge": _EDGE, "first": Placement(pixels=0)}

# What `align` may be.
ALIGNMENTS = tuple(_ALIGNED)


def as_placements(
    padding: Any, kernel_size: Sequence[int], align: Any = "center"
) -> Placements | None:
    """For each axis, where the grid lies: as padding says, or else ``align``.

    None is a centred grid; placements stay what they are.
    """
    if not isinstance(align, str) or align not in _ALIGNED:
        raise ValueError(
            f"align must be one of {list(ALIGNMENTS)}, got {align!r}: both extents "
            "centred, the first boundary of the output on that of the input, or the "
            "first pixel on the first"
        )
    if padding is None:
        aligned = (_ALIGNED[align],) * len(kernel_size)
        return None if align == "center" else aligned
    if align != "center":
        raise ValueError(
            f"padding and align={align!r} both say where the grid lies; leave out one"
        )
    if _are_placements(padding):
        return padding
    values = per_axis(padding, len(kernel_size), "padding")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(
                "padding must be a whole number of pixels, one for all axes or for "
                f"each, or None for a centred grid, got {value!r}"
            )
        as_count(value, "padding")
    pairs = zip(kernel_size, map(int, values), strict=True)
    return tuple(conv_placement(width, pixels, pixels) for width, pixels in pairs)


def as_argument(placements: Placements | None) -> str:
    """How the grid lies, as `repr` shows an argument; empty if it is centred."""
    if placements is None:
        return ""
    for name, one in _ALIGNED.items():
        if set(placements) == {one}:
            return f"align={name!r}"
    return f"grid=({'; '.join(map(str, placements))})"


def _are_placements(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(v, Placement) for v in value)
