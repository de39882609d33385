"""Coverage: which distances a kernel sees at a scale, and whether these are few."""

import warnings
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import torch

from contconv._axis import Axis
from contconv._grid import AxisGrid, Grid
from contconv._scale import (
    Padding,
    Scale,
    Size,
    as_placements,
    as_ratios,
    as_sizes,
    resized_axes,
)
from contconv._types import no_type_check
from contconv.kernels import ContinuousKernel, SeparableKernel

# A kernel that is no sum of known functions has to be shown so many distances a pixel.
# The Internal-Net trained at 1/2 (4 to 5 distances on 4 pixels) was wrong by 23 grey
# levels at other scales, at 3/4 (12) by 1.3, at a float scale by 0.67.
_PER_PIXEL = 2


class ScaleCoverageWarning(UserWarning):
    """A layer learns at a scale that shows its kernel few distances.

    Between these the kernel is not learned, so that other scales may give anything.
    """


@no_type_check
def coverage(
    scale: Scale,
    size: Size,
    kernel_size: int | Sequence[int] = 3,
    *,
    axes: int = 2,
    padding: Padding | None = None,
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
        as_ratios(scale, axes),
        None,
        placements=as_placements(padding, widths),
    )
    return tuple(_distances(axis) for axis in grid)


def _distances(axis: Axis) -> dict[Fraction, int]:
    n = torch.arange(axis.out_size)
    pixel = axis.first_neighbor(n)[:, None] + torch.arange(axis.taps)
    distance = axis.position(n)[:, None] - axis.unit * pixel
    distance = distance[distance.abs() <= axis.reach]
    values, counts = distance.unique(return_counts=True)
    pairs = zip(values.tolist(), counts.tolist(), strict=True)
    return {Fraction(value, axis.unit): count for value, count in pairs}


@lru_cache(maxsize=256)
def distinct(axis: Axis) -> int:
    """At how many different distances a kernel is evaluated along an axis."""
    return len(_distances(axis))


def warn_if_few(kernel: ContinuousKernel, grid: Grid, stacklevel: int) -> None:
    """Warn if the grid shows the kernel fewer distances than it can tell apart."""
    if not isinstance(grid, AxisGrid):
        return
    for i, axis in enumerate(grid.axes):
        needed = _needed(kernel, i)
        if axis.phases >= needed:
            continue
        seen = distinct(axis)
        if seen < needed:
            warnings.warn(
                f"this layer learns at a scale of {axis.up}/{axis.down}, which shows "
                f"axis {i} of its kernel {seen} distances where it takes {needed} to "
                "know it: at other scales it may do anything. Learn at a scale with a "
                "larger numerator (0.51 has 51), or at random ones (contconv.models."
                "schedules.jittered, contconv.using_scales); for this scale alone, "
                "ignore contconv.ScaleCoverageWarning",
                ScaleCoverageWarning,
                stacklevel=stacklevel + 1,
            )
            return


def _needed(kernel: ContinuousKernel, i: int) -> int:
    """How many distances determine the kernel along an axis."""
    if isinstance(kernel, SeparableKernel):
        zero = torch.zeros(1, device=kernel.head.device)
        with torch.no_grad():
            return kernel.axis_basis(zero, i).shape[-1]
    return _PER_PIXEL * kernel.kernel_size[i]
