"""Scales and grids in words."""

from collections.abc import Sequence
from fractions import Fraction

from contconv._placement import Placement
from contconv._scale import as_ratios, resized_axes
from contconv.surgery._discrete import Discrete
from contconv.surgery._shapes import Shapes


def scale_text(scale: Sequence[Fraction]) -> str:
    """A scale in words: once if it is the same on all axes."""
    return " x ".join(map(str, dict.fromkeys(scale)))


def grid_text(placements: Sequence[Placement]) -> str:
    """How the axes of a grid lie: once if it is the same for all."""
    words = list(dict.fromkeys(map(str, placements)))
    return " x ".join(words)


def off_centre(discrete: Discrete, ends: Shapes) -> str:
    """How far the grid is off the centre of this input."""
    axes = len(discrete.kernel_size)
    ratios = as_ratios(discrete.scale, axes)
    sizes, in_sizes = ends.after[-axes:], ends.before[-axes:]
    grids = (
        resized_axes(in_sizes, discrete.kernel_size, ratios, sizes, placements=p)
        for p in (discrete.placements, None)
    )
    shifts = [
        Fraction(mine.position(0) - centred.position(0), mine.unit)
        for mine, centred in zip(*grids, strict=True)
    ]
    if not any(shifts):
        return "centred"
    once = dict.fromkeys(f"{float(shift):+g}" for shift in shifts)
    return " x ".join(once) + " px off centre"
