"""An axis resampled tap by tap: pixel by pixel, or all periods at once."""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import AxisGrid
from contconv._runtime.autograd import is_transformed
from contconv._runtime.shapes import Num
from contconv.engines.weights import NormalizedWeights, normalized_weights, padded
from contconv.functional.rounding import rounded
from contconv.kernels import SeparableKernel

# Lines from which on blocks of a matrix are faster than taps.
MANY_LINES = 64

# Output pixels from which on periods take less time than the weights of each pixel.
_LONG = 2**16

# How often the weights must repeat: each tap of a period is an operation of its own.
_PERIODS = 64


def by_taps(
    image: Num[Tensor, "*in_shape"], dim: int, weights: NormalizedWeights
) -> Num[Tensor, "*out_shape"]:
    """Resample an axis by operations that all of torch can follow."""
    source, values = padded(weights)
    shape = [1] * image.ndim
    shape[dim] = -1
    out = image.index_select(dim, source[:, 0]) * values[:, 0].view(shape)
    for tap in range(1, source.shape[1]):
        near = image.index_select(dim, source[:, tap])
        out = out + near * values[:, tap].view(shape)
    return (rounded(out) if image.dtype == torch.uint8 else out).to(image.dtype)


class Repeating(NamedTuple):
    """The weights of an axis: of its ends, and of one period in between."""

    axis: Axis
    before: NormalizedWeights
    period: NormalizedWeights
    after: NormalizedWeights
    periods: int


def is_long(image: Tensor, axes: Sequence[Axis], i: int) -> bool:
    """Whether axis ``i`` is so long, of so few lines, that its periods are worth it."""
    if is_transformed() or (torch.is_grad_enabled() and image.requires_grad):
        return False
    others = [max(one.in_size, one.out_size) for one in (*axes[:i], *axes[i + 1 :])]
    few = prod(others) * prod(image.shape[:2]) < MANY_LINES
    return few and axes[i].out_size >= max(_LONG, _PERIODS * axes[i].up)


def repeating_weights(
    kernel: SeparableKernel,
    i: int,
    grid: AxisGrid,
    dtype: torch.dtype,
    device: torch.device,
) -> Repeating | None:
    """The weights of axis ``i``; None if they learn, or few windows lie inside."""
    axis: Any = grid.axes[i]
    first = max(0, -(axis.first_neighbor(0) // axis.down))
    last = (axis.in_size - axis.taps - axis.first_neighbor(axis.up - 1)) // axis.down
    periods = min(last + 1, axis.out_size // axis.up) - first
    if periods < _PERIODS:
        return None
    start, stop = first * axis.up, (first + periods) * axis.up
    ranges = (0, start), (start, start + axis.up), (stop, axis.out_size)
    before, period, after = (
        normalized_weights(kernel, i, grid, dtype, device, one) for one in ranges
    )
    if torch.is_grad_enabled() and period.values.requires_grad:
        return None
    return Repeating(axis, before, period, after, periods)


def by_periods(
    image: Num[Tensor, "*in_shape"], dim: int, weights: Repeating
) -> Num[Tensor, "*out_shape"]:
    """Resample an axis, pixels at the same place of all periods together.

    The same sums as `by_taps`, in the same order.
    """
    shape = list(image.shape)
    shape[dim] = weights.axis.out_size
    out = image.new_empty(shape)
    begin = len(weights.before.pixel)
    end = begin + weights.periods * weights.axis.up
    out.narrow(dim, 0, begin).copy_(by_taps(image, dim, weights.before))
    out.narrow(dim, end, shape[dim] - end).copy_(by_taps(image, dim, weights.after))
    source, values = padded(weights.period)
    for n, (pixels, factors) in enumerate(zip(source.tolist(), values, strict=True)):
        near = [_every(image, dim, p, weights.axis.down, weights) for p in pixels]
        total = near[0] * factors[:1]
        for tap, one in enumerate(near[1:], 1):
            total = total + one * factors[tap : tap + 1]
        total = rounded(total) if image.dtype == torch.uint8 else total
        _every(out, dim, begin + n, weights.axis.up, weights).copy_(total)
    return out


def _every(
    image: Tensor, dim: int, first: int, step: int, weights: Repeating
) -> Tensor:
    """The pixels of an axis from one on, so many of them, with a step."""
    stop = first + (weights.periods - 1) * step + 1
    return image[(slice(None),) * dim + (slice(first, stop, step),)]
