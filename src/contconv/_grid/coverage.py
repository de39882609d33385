"""Coverage: the distances at which a grid evaluates a kernel."""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import torch

from contconv._grid.axis import Axis
from contconv._grid.grid import resized_axes
from contconv._grid.placement import Padding, as_placements
from contconv._grid.ratio import Scale, Size
from contconv._runtime.arguments import as_sizes
from contconv._runtime.shapes import no_type_check


@no_type_check
def coverage(
    scale: Scale,
    size: Size,
    kernel_size: int | Sequence[int] = 3,
    *,
    axes: int = 2,
    padding: Padding | None = None,
    align: str = "center",
) -> tuple[dict[Fraction, int], ...]:
    """Which distances a kernel is evaluated at, and by how many output pixels.

    What a kernel learns at a scale of ``up / down`` (in lowest terms) is its values at
    about ``up`` distances for each pixel of its width: few at 1/2, many at 0.73.

    Args:
        scale: Output over input pixels, for all axes or for each.
        size: Input pixels, for all axes or for each.
        kernel_size: Width of the kernel in input pixels, for all axes or for each.
        axes: How many axes the image has.
        padding: How the grid lies, as in `continuous_conv`.
        align: Where it lies without padding.

    Returns:
        For each axis, from the lowest to the highest distance in input pixels, at how
        many output pixels it occurs. Pixels beyond the input count, too.

    Raises:
        TypeError, ValueError: If scale, sizes or padding are none.

    Example:
        >>> height, width = coverage((1 / 2, 0.73), 10)
        >>> {str(distance): count for distance, count in height.items()}
        {'-3/2': 5, '-1/2': 5, '1/2': 5, '3/2': 5}
        >>> len(width)
        24
    """
    widths = as_sizes(kernel_size, axes, "kernel_size")
    grid = resized_axes(
        as_sizes(size, axes),
        widths,
        scale,
        None,
        placements=as_placements(padding, widths, align),
    )
    return tuple(_distances(axis) for axis in grid)


def _distances(axis: Axis) -> dict[Fraction, int]:
    n = torch.arange(axis.out_size, device="cpu")
    tap = torch.arange(axis.taps, device="cpu")
    pixel = axis.first_neighbor(n)[:, None] + tap
    distance = axis.position(n)[:, None] - axis.unit * pixel
    distance = distance[distance.abs() <= axis.reach]
    values, counts = distance.unique(return_counts=True)
    pairs = zip(values.tolist(), counts.tolist(), strict=True)
    return {Fraction(value, axis.unit): count for value, count in pairs}


@lru_cache(maxsize=256)
def distinct(axis: Axis) -> int:
    """At how many different distances a kernel is evaluated along an axis."""
    return len(_distances(axis))
