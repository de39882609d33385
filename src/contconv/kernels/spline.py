"""SplineKernel: a learned B-spline, smooth and zero at the edge of its support."""

import math
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.arguments import as_whole
from contconv._runtime.numberless import has_numbers
from contconv._runtime.shapes import Float, no_type_check
from contconv.kernels.b_spline import b_spline
from contconv.kernels.base import SeparableKernel
from contconv.kernels.head import DEFAULT_GAIN, new_head
from contconv.kernels.learned import LearnedKernel
from contconv.kernels.orthonormal_cosines import cosines

# A layer smooths, and so gives the next one less than it was given. Found by trial:
# with this factor, activations end at 0.1 to 4 times where they began, through 20
# layers of scales 0.9 to 1.1, with and without ReLU; without it, at 0.02 to 0.6.
_SMOOTHED_AWAY = 1.1

_DEGREE = 2


class SplineKernel(LearnedKernel, SeparableKernel):
    r"""A learned kernel that is a B-spline with knots one pixel apart.

    .. math:: \mathrm{basis}(d)_{ab} = \sum_{ij} C_{ai} C_{bj} \;
        \beta^n(d_y - t_i) \, \beta^n(d_x - t_j)

    with :math:`t_i = i - (k - n - 1) / 2` for :math:`0 \le i < k - n`.
    :math:`\beta^n` is the centred B-spline of degree :math:`n` (Unser, 1999),
    :math:`n + 1` pixels wide, and :math:`C` the orthonormal cosine transform. So a
    kernel on :math:`k` pixels has :math:`k - n` control points an axis, and as many
    parameters as ``nn.Conv2d`` of that size: a support of 5 pixels with the default
    degree as many as a 3x3 filter.

    It is what a convolution of the control points makes of an image that is smoothed by
    :math:`\beta^n` first. It has no jump anywhere, passes little of what a smaller grid
    cannot hold, and its sums over the pixels do not depend on the sub-pixel offset: a
    constant comes out as a constant, without a pattern. In exchange not every filter of
    ``nn.Conv2d`` can be written, and it touches more pixels.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the support in input pixels, one for each axis; more than
            the degree.
        degree: Of the polynomial pieces: 1 is linear interpolation of the control
            points, 2 is smooth, 3 smoother and wider.
        groups: Groups of channels that do not mix, as in ``nn.Conv2d``.
        device: Where the parameters live.
        dtype: The dtype of the parameters.

    Raises:
        TypeError: If a size or the degree is no whole number.
        ValueError: If the degree is less than 1, or not less than the kernel is wide.

    Example:
        >>> kernel = SplineKernel(3, 8, (5, 5))
        >>> kernel.head.shape
        torch.Size([8, 3, 9])
        >>> kernel(torch.tensor([2.5, 0.0])).abs().max().item()
        0.0
    """

    @no_type_check
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        *,
        degree: int = _DEGREE,
        groups: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(kernel_size)
        self.degree = as_whole(degree, "degree")
        if min(self.kernel_size) <= degree:
            raise ValueError(
                f"kernel_size must be more than the degree, {degree}, on every axis, "
                f"got {self.kernel_size}; {degree + 3} has as many parameters as a "
                "filter of 3 pixels"
            )
        self.control_points = tuple(width - degree for width in self.kernel_size)
        rank = math.prod(self.control_points)
        self.head = new_head(in_channels, out_channels, groups, rank, device, dtype)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, gain: float = DEFAULT_GAIN) -> None:
        """Draw the control points as ``nn.Conv2d`` draws its weights, but normal.

        So the response to what varies slowly is that of ``nn.Conv2d``, ``gain`` times
        the input as root mean square, at any scale, and 1.1 times that for what the
        next layer misses. Fine detail is smoothed away: a response to white noise of
        that size would make all else grow through layers.
        """
        if not has_numbers(self.head):
            return  # drawing none would load the compiler
        fan_in = self.head.shape[1] * self.head.shape[2]
        self.head.normal_(0, _SMOOTHED_AWAY * gain / math.sqrt(fan_in))

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """The splines along one axis, at a distance in input pixels."""
        count = self.control_points[axis]
        points = torch.arange(count, dtype=distance.dtype, device=distance.device)
        points = points - (count - 1) / 2
        values = b_spline(distance[..., None] - points, self.degree)
        # No product of matrices, which may be less precise than its dtype.
        return (values[..., None] * cosines(points, count, count)).sum(-2)

    def axis_constants(self, axis: int) -> Hashable:
        """The control points and the degree."""
        return self.control_points[axis], self.degree

    def options(self) -> dict[str, Any]:
        """The degree."""
        return {"degree": self.degree}

    @classmethod
    def size_for(cls, filter_size: Sequence[int]) -> tuple[int, ...]:
        """So many pixels wider that it has a control point for each of the filter's."""
        return tuple(width + _DEGREE for width in filter_size)

    @classmethod
    def options_for(cls, taps: Sequence[int]) -> dict[str, Any]:
        """None: its control points lie a pixel apart, whatever the taps do."""
        return {}
