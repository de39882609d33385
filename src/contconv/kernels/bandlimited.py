"""BandlimitedKernel: a convolution's taps, each in the place of a low-pass filter."""

import math
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from contconv._grid.ratio import Scale, as_ratios
from contconv._runtime.arguments import as_sizes
from contconv._runtime.numberless import has_numbers
from contconv._runtime.shapes import Float, no_type_check
from contconv.kernels.base import SeparableKernel
from contconv.kernels.head import DEFAULT_GAIN, new_head
from contconv.kernels.learned import LearnedKernel
from contconv.kernels.sinc import as_cutoffs, windowed_sinc

# Pixels of the window over the cutoff's wavelength, and the share of what a grid can
# hold that is let through. Found by trials of what `experiments/claims/alias_free.py`
# measures: a window twice as wide and a cutoff of 1 both left more that does not move.
_WINDOW = 4
_SHARE = 0.9


class LowPass(NamedTuple):
    """What a low-pass filter takes for a scale.

    Attributes:
        kernel_size: The support, per axis, in input pixels.
        cutoff: Per axis.
    """

    kernel_size: tuple[int, ...]
    cutoff: tuple[float, ...]


class BandlimitedKernel(LearnedKernel, SeparableKernel):
    r"""A learned filter that passes nothing that its output pixels cannot hold.

    .. math:: \mathrm{basis}(d)_{ij} = h(d_y - t_i) \; h(d_x - t_j)

    with :math:`t_i = i - (m - 1) / 2` for :math:`0 \le i < m`, and a low-pass filter
    :math:`h`, the sinc in a Hann window (`SincKernel`) of :math:`k - m + 1` pixels. So
    the layer is what an ordinary convolution with :math:`m` taps an axis, the head,
    makes of the image, low-passed, and taken at the output pixels. With a cutoff below
    the scale of the layer it shrinks without aliasing: its features move as the image
    does. `BandlimitedKernel.low_pass` says which size and cutoff.

    At a scale of 1 and with a cutoff of 1, it is an ordinary convolution, whose filter
    is the head.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the support in input pixels, one for each axis.
        taps: How many taps, for all axes or for each; 3 fewer than the support is wide
            unless given.
        cutoff: Of the low-pass filter, over the highest frequency that the input's
            pixels hold, for all axes or for each: above 0, at most 1.
        groups: Groups of channels that do not mix, as in ``nn.Conv2d``.
        device: Where the parameters live.
        dtype: The dtype of the parameters.

    Raises:
        TypeError: If a number is of a wrong type.
        ValueError: If there are no taps, or more than the support is wide, or the
            cutoff is not in its range.

    Example:
        >>> from contconv import ContinuousConv2d
        >>> size, cutoff = BandlimitedKernel.low_pass(3, 1 / 2)
        >>> size, cutoff
        ((11, 11), (0.45, 0.45))
        >>> kernel = BandlimitedKernel(8, 16, size, taps=3, cutoff=cutoff)
        >>> layer = ContinuousConv2d(8, 16, size, scale=1 / 2, kernel=kernel)
        >>> layer(torch.rand(1, 8, 32, 32)).shape
        torch.Size([1, 16, 16, 16])
    """

    @no_type_check
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        *,
        taps: int | Sequence[int] | None = None,
        cutoff: float | Sequence[float] = 1.0,
        groups: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(kernel_size)
        if taps is None:
            taps = [max(1, width - _WINDOW + 1) for width in self.kernel_size]
        self.taps = as_sizes(taps, self.ndim, "taps")
        if any(m > k for m, k in zip(self.taps, self.kernel_size, strict=True)):
            raise ValueError(
                f"taps must be at most kernel_size, {self.kernel_size}, on every axis, "
                f"got {self.taps}"
            )
        self.cutoff = as_cutoffs(cutoff, self.ndim)
        rank = math.prod(self.taps)
        self.head = new_head(in_channels, out_channels, groups, rank, device, dtype)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, gain: float = DEFAULT_GAIN) -> None:
        """Draw the taps with the variance of ``nn.Conv2d``'s weights, but normal."""
        if not has_numbers(self.head):
            return  # drawing none would load the compiler
        fan_in = self.head.shape[1] * self.head.shape[2]
        self.head.normal_(0, gain / math.sqrt(fan_in))

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """The low-pass filter at each tap of an axis, in input pixels."""
        width = self.kernel_size[axis] - self.taps[axis] + 1
        beyond = self._from_taps(distance, axis)
        return windowed_sinc(beyond, self.cutoff[axis], width)

    def at_taps(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """One where a tap lies, else zero: the basis without the low-pass filter."""
        return (self._from_taps(distance, axis).abs() < 0.25).to(distance)

    def _from_taps(self, distance: Tensor, axis: int) -> Tensor:
        """Distances from each tap of an axis."""
        count = self.taps[axis]
        places = torch.arange(count, dtype=distance.dtype, device=distance.device)
        return distance[..., None] - (places - (count - 1) / 2)

    def axis_constants(self, axis: int) -> Hashable:
        """The width, the taps and the cutoff."""
        return self.kernel_size[axis], self.taps[axis], self.cutoff[axis]

    def options(self) -> dict[str, Any]:
        """The taps and the cutoff."""
        return {"taps": self.taps, "cutoff": self.cutoff}

    @classmethod
    def low_pass(
        cls, taps: int | Sequence[int], scale: Scale, *, axes: int = 2
    ) -> LowPass:
        """Kernel size and cutoff with which a layer of a scale does not alias.

        The cutoff is 0.9 of what the output's pixels hold, or, where the layer does not
        shrink, 1.

        Args:
            taps: Of the filter, for all axes or for each.
            scale: Output over input pixels, for all axes or for each.
            axes: How many there are.

        Raises:
            TypeError, ValueError: If there are no such taps, or there is no such scale.
        """
        ratios = [min(1.0, ratio.up / ratio.down) for ratio in as_ratios(scale, axes)]
        cutoffs = tuple(1.0 if ratio == 1 else _SHARE * ratio for ratio in ratios)
        pairs = zip(as_sizes(taps, axes, "taps"), cutoffs, strict=True)
        return LowPass(
            tuple(m - 1 + math.ceil(_WINDOW / cut) for m, cut in pairs), cutoffs
        )

    @classmethod
    def size_for(cls, filter_size: Sequence[int]) -> tuple[int, ...]:
        """So many pixels wider that it has a tap for each of the filter's."""
        return tuple(width + _WINDOW - 1 for width in filter_size)

    @classmethod
    def options_for(cls, taps: Sequence[int]) -> dict[str, Any]:
        """None: its taps lie a pixel apart, whatever those of the filter do."""
        return {}
