"""8-bit images resampled by the library of contconv-native, an axis at a time.

It sums in float32, and again in float64 where that leaves open how a sum is rounded:
the bits are those of PyTorch's operators, which are those of exact sums.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import AxisGrid
from contconv._runtime.memory_format import is_channels_last
from contconv._runtime.shapes import Num
from contconv.engines.native.tables import PADDING_MODES
from contconv.engines.weights import NormalizedWeights, normalized_weights, padded
from contconv.functional.folding import folded
from contconv.functional.resize_passes import pass_order
from contconv.functional.rounding import whole_weights
from contconv.kernels import SeparableKernel

# Pixels under an output that the library takes, whatever lies beside each other.
_MOST_TAPS = 1024


class BytePass(NamedTuple):
    """An axis to resample, and its weights as the library takes them."""

    axis: int
    first: Tensor  # int64 [out], the lowest pixel, of any sign
    values: Tensor  # float64 [out, taps]
    over: int  # by which whole numbers are divided; 0 if they are none
    padding: int


def planned_bytes(
    kernel: SeparableKernel,
    axes: tuple[Axis, ...],
    modes: Sequence[str],
    copied: Sequence[bool],
) -> tuple[BytePass, ...] | None:
    """The passes, in their order; None if they are not for the library."""
    passes, place = [], torch.device("cpu")
    order = pass_order(axes, torch.uint8)
    for i in sorted(order, key=lambda i: not copied[i]):
        if copied[i]:
            weights = _one_pixel_each(axes[i], modes[i])
        else:
            grid = AxisGrid(axes, modes[i])
            weights = folded(normalized_weights(kernel, i, grid, torch.float64, place))
        if weights.values.shape[1] > _MOST_TAPS or not weights.values.isfinite().all():
            return None
        passes.append(_byte_pass(i, weights))
    return tuple(passes)


def _one_pixel_each(axis: Axis, mode: str) -> NormalizedWeights:
    pixel = axis.nearest_pixel(torch.arange(axis.out_size, device="cpu"))[:, None]
    ones = torch.ones_like(pixel, dtype=torch.float64)
    return NormalizedWeights(axis, mode, pixel, ones, None)


def _byte_pass(i: int, weights: NormalizedWeights) -> BytePass:
    _, values = padded(weights)
    whole, over = whole_weights(values)
    over = over if whole.dtype == torch.float32 else 0
    first = weights.pixel[:, 0].contiguous()
    mode = PADDING_MODES.index(weights.padding_mode)
    return BytePass(i, first, whole.double().contiguous(), over, mode)


def resampled_bytes(
    image: Num[Tensor, "n c *in_shape"], passes: Sequence[BytePass]
) -> Num[Tensor, "n c *out_shape"]:
    """The image after all passes, rounded after each."""
    last = is_channels_last(image)
    pixels = (image.movedim(1, -1) if last else image).contiguous()
    for axis, first, values, over, padding in passes:
        given = (axis + (1 if last else 2), over, padding)
        pixels = torch.ops.contconv_native.resample_bytes(pixels, first, values, *given)
    return pixels.movedim(-1, 1) if last else pixels
