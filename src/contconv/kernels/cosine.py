"""CosineKernel: a learned combination of cosines, band-limited and orthogonal."""

import math
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.arguments import as_sizes
from contconv._runtime.shapes import Float, no_type_check
from contconv.kernels.base import SeparableKernel
from contconv.kernels.head import DEFAULT_GAIN, initialise_head, new_head
from contconv.kernels.learned import LearnedKernel
from contconv.kernels.orthonormal_cosines import cosines


class CosineKernel(LearnedKernel, SeparableKernel):
    r"""A learned kernel on the fixed basis of the cosine transform.

    .. math:: \mathrm{basis}(d)_{ab} = c_a \cos(\pi a u_y) \, c_b \cos(\pi b u_x)

    with :math:`u = d / k + 1/2` and :math:`c_a^2 = (2 - \delta_{a0}) / k`.

    With an odd width at a scale of 1, an even one at 1/2, and as many frequencies as
    the kernel is wide, the weights at the pixels are the orthonormal cosine transform
    of the head. So any filter of ``nn.Conv2d`` can be written, with as many parameters;
    they are as large as its weights, and learn at the same rate.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the support in input pixels, one for each axis.
        frequencies: How many cosines per axis, for all or for each axis; the width of
            the support unless given. More resolve finer detail between the pixels.
        groups: Groups of channels that do not mix, as in ``nn.Conv2d``.
        device: Where the parameters live.
        dtype: The dtype of the parameters.

    Example:
        >>> kernel = CosineKernel(3, 8, (4, 4))
        >>> kernel(torch.tensor([0.25, -1.5])).shape
        torch.Size([8, 3])
    """

    @no_type_check
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        *,
        frequencies: int | Sequence[int] | None = None,
        groups: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(kernel_size)
        given = self.kernel_size if frequencies is None else frequencies
        self.frequencies = as_sizes(given, self.ndim, "frequencies")
        rank = math.prod(self.frequencies)
        self.head = new_head(in_channels, out_channels, groups, rank, device, dtype)
        self.reset_parameters()

    def reset_parameters(self, gain: float = DEFAULT_GAIN) -> None:
        """Draw a new head; `initialise_head` says what ``gain`` is."""
        initialise_head(self, gain)

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """The cosines along one axis, at a distance in input pixels."""
        return cosines(distance, self.kernel_size[axis], self.frequencies[axis])

    def axis_constants(self, axis: int) -> Hashable:
        """The width, and how many cosines there are."""
        return self.kernel_size[axis], self.frequencies[axis]

    def options(self) -> dict[str, Any]:
        """The frequencies."""
        return {"frequencies": self.frequencies}

    @classmethod
    def size_for(cls, filter_size: Sequence[int]) -> tuple[int, ...]:
        """That of the filter."""
        return tuple(filter_size)

    @classmethod
    def options_for(cls, taps: Sequence[int]) -> dict[str, Any]:
        """A frequency for each tap."""
        return {"frequencies": tuple(taps)}
