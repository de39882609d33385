"""Coverage: which distances a kernel sees at a scale, and whether these are few."""

import warnings

from contconv._grid.coverage import distinct
from contconv._grid.grid import AxisGrid, Grid
from contconv.kernels import ContinuousKernel


class ScaleCoverageWarning(UserWarning):
    """A layer learns at a scale that shows its kernel few distances.

    Between these the kernel is not learned, so that other scales may give anything.
    """


def warn_if_few(kernel: ContinuousKernel, grid: Grid, stacklevel: int) -> None:
    """Warn if the grid shows the kernel fewer distances than it can tell apart."""
    if not isinstance(grid, AxisGrid):
        return
    for i, axis in enumerate(grid.axes):
        needed = kernel.degrees(i)
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
