"""Coverage: which distances a kernel sees at a scale, and whether these are few."""

import warnings

import torch

from contconv._grid.coverage import distinct
from contconv._grid.grid import AxisGrid, Grid
from contconv.kernels import ContinuousKernel, SeparableKernel

# A kernel that is no sum of known functions has to be shown so many distances a pixel.
# The Internal-Net trained at 1/2 (4 to 5 distances on 4 pixels) was wrong by 23 grey
# levels at other scales, at 3/4 (12) by 1.3, at a float scale by 0.67.
_PER_PIXEL = 2


class ScaleCoverageWarning(UserWarning):
    """A layer learns at a scale that shows its kernel few distances.

    Between these the kernel is not learned, so that other scales may give anything.
    """


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
