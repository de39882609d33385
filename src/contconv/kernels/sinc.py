"""SincKernel: a low-pass filter, the sinc in a Hann window."""

import math
import operator
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.arguments import as_sizes, per_axis
from contconv._runtime.shapes import Float, no_type_check
from contconv.kernels.base import SeparableKernel
from contconv.kernels.classical import ClassicalKernel, as_axes, sinc


class SincKernel(ClassicalKernel, SeparableKernel):
    r"""A low-pass filter: a sinc in a Hann window.

    .. math:: K(d) \propto \mathrm{sinc}(c d) \; \cos^2(\pi d / w)

    where :math:`|d| < w / 2`. The weights of the pixels add up to one where the
    distances are whole. The wider the window, the steeper the filter; at the cutoff,
    half the amplitude is left. With a cutoff of 1 it is zero at all other pixels, and
    so interpolates.

    Args:
        width: Of the window, :math:`w`, in pixels, for all axes or for each.
        cutoff: Over the highest frequency that the pixels hold, :math:`c`: above 0, at
            most 1, for all axes or for each.
        ndim: How many axes the kernel has.

    Raises:
        TypeError: If a number is of a wrong type.
        ValueError: If the width is less than 1, or the cutoff is not in its range.

    Example:
        >>> kernel = SincKernel(6, cutoff=0.9, ndim=1)
        >>> weights = kernel(torch.arange(-2.0, 3)[:, None]).flatten()
        >>> round(weights.sum().item(), 6)
        1.0
    """

    @no_type_check
    def __init__(
        self,
        width: int | Sequence[int] = 6,
        *,
        cutoff: float | Sequence[float] = 1.0,
        ndim: int = 2,
    ) -> None:
        super().__init__(as_sizes(width, as_axes(ndim), "width"))
        self.cutoff = as_cutoffs(cutoff, ndim)

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """The sinc in its window, at a distance along an axis."""
        width = self.kernel_size[axis]
        return windowed_sinc(distance, self.cutoff[axis], width)[..., None]

    def axis_constants(self, axis: int) -> Hashable:
        """Width and cutoff."""
        return self.kernel_size[axis], self.cutoff[axis]

    def arguments(self) -> dict[str, Any]:
        """Width, cutoff and axes."""
        return {"width": self.kernel_size, "cutoff": self.cutoff, "ndim": self.ndim}


def windowed_sinc(distance: Tensor, cutoff: float, width: float) -> Tensor:
    """``sinc(cutoff d)`` in a Hann window of a width, with a sum of one over pixels."""
    window = torch.cos(distance * (math.pi / width)).square()
    values = sinc(cutoff * distance) * window / _sum(cutoff, width)
    return torch.where(distance.abs() < width / 2, values, 0.0)


@lru_cache
def _sum(cutoff: float, width: float) -> float:
    """Of the values at whole distances."""
    inside = range(1, math.ceil(width / 2))
    waves = (math.sin(math.pi * cutoff * d) / (math.pi * cutoff * d) for d in inside)
    windows = (math.cos(math.pi * d / width) ** 2 for d in inside)
    return 1 + 2 * sum(map(operator.mul, waves, windows))


def as_cutoffs(cutoff: Any, axes: int) -> tuple[float, ...]:
    """A cutoff for each axis, or an error that says what it may be."""
    cutoffs = per_axis(cutoff, axes, "cutoff")
    for value in cutoffs:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"cutoff must be a number, got {type(value).__name__}")
        if not 0 < value <= 1:
            raise ValueError(f"cutoff must be above 0 and at most 1, got {value}")
    return tuple(map(float, cutoffs))
