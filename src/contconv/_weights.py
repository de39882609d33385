"""Weights of `resize`: what each output pixel of an axis takes from which pixels."""

from collections.abc import Hashable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._axis import Axis
from contconv._grid import AxisGrid
from contconv._kept import kept
from contconv._taps import weigh
from contconv._types import Float, Int
from contconv.kernels import SeparableKernel
from contconv.padding import is_source, source_index


class Weights(NamedTuple):
    """The weights of an axis, one row per output pixel."""

    axis: Axis
    padding_mode: str
    pixel: Int[Tensor, "out taps"]  # of any sign
    values: Float[Tensor, "out taps"]  # sum to one, before the padding
    key: Hashable | None  # what they depend on, if that never changes


def axis_weights(
    kernel: SeparableKernel,
    i: int,
    grid: AxisGrid,
    dtype: torch.dtype,
    device: torch.device,
) -> Weights:
    """The weights of axis ``i``."""
    axis, known = grid.axes[i], kernel.axis_key(i)
    use = ("weights", axis, grid.padding_mode, dtype, device)
    key = None if known is None else (known, *use)
    make = partial(_weights, kernel, i, grid, dtype, device, key)
    return kept(known, use, make, axis.out_size * axis.taps)


def _weights(
    kernel: SeparableKernel,
    i: int,
    grid: AxisGrid,
    dtype: torch.dtype,
    device: torch.device,
    key: Hashable | None,
) -> Weights:
    axis = grid.axes[i]
    n = torch.arange(axis.out_size, device=device)
    tap = torch.arange(axis.taps, device=device)
    pixel = axis.first_neighbor(n)[:, None] + tap
    distance, weight = weigh(axis, n, pixel, dtype)
    values = kernel.axis_basis(distance, i)[..., 0] * weight
    values = values / values.sum(-1, keepdim=True)
    return Weights(axis, grid.padding_mode, pixel, values, key)


def padded(
    weights: Weights,
) -> tuple[Int[Tensor, "out taps"], Float[Tensor, "out taps"]]:
    """The pixels, all within the image, and what they count."""
    axis, mode, pixel, values, _ = weights
    inside = is_source(pixel, axis.in_size, mode)
    values = values if inside is None else values * inside
    return source_index(pixel, axis.in_size, mode), values
