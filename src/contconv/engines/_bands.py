"""Bands: the resampling of one axis, as small dense matrices for blocks of outputs."""

from typing import NamedTuple

import torch
from torch import Tensor

from contconv._axis import Axis
from contconv._grid import AxisGrid
from contconv._taps import axis_taps
from contconv._types import Float
from contconv.engines._contract import Problem
from contconv.kernels import SeparableKernel
from contconv.padding import source_index


class Band(NamedTuple):
    """What some consecutive outputs take from their window of the input."""

    outputs: slice
    inputs: slice | Tensor  # a tensor where the window wraps around
    weights: Float[Tensor, "out inputs rank"]


def axis_bands(problem: Problem, i: int, block: int) -> list[Band]:
    """The bands of axis ``i``, of ``block`` outputs each."""
    assert isinstance(problem.grid, AxisGrid)
    axis, mode = problem.grid.axes[i], problem.grid.padding_mode
    weights = _weights(problem, axis, i, block)
    bands = []
    for begin in range(0, axis.out_size, block):
        end = min(begin + block, axis.out_size)
        first, stop = axis.first_neighbor(begin), _stop(axis, end)
        part = weights[begin:end, : stop - first]
        bands.append(Band(slice(begin, end), *_inside(part, first, axis.in_size, mode)))
    return bands


def _inside(
    weights: Float[Tensor, "out window rank"], first: int, size: int, mode: str
) -> tuple[slice | Tensor, Float[Tensor, "out inputs rank"]]:
    """The inputs of a window that begins at pixel ``first``, and their weights."""
    stop = first + weights.shape[1]
    low = min(max(first, 0), size)
    high = max(low, min(stop, size))
    if mode == "zeros" and low == high:  # nothing in sight: any pixel, times zero
        low = min(low, size - 1)
        return slice(low, low + 1), torch.zeros_like(weights[:, :1])
    if mode == "zeros" or (low == first and high == stop):
        skip = max(low - first, 0)
        return slice(low, high), weights[:, skip : skip + high - low]
    source = source_index(torch.arange(first, stop, device=weights.device), size, mode)
    if mode == "circular":
        if size > 4 * weights.shape[1]:
            return source, weights
        low, high = 0, size
    else:
        # Mirrored at an edge, a window reaches as far inside as it did outside.
        low = max(0, min(low, size - 1 - max(0, stop - size)))
        high = min(size, max(high, 1 - min(0, first)))
    folded = weights.new_zeros(len(weights), high - low, weights.shape[2])
    return slice(low, high), folded.index_add(1, source - low, weights)


def band_width(axis: Axis, block: int) -> int:
    """About how many inputs a block of outputs has, away from the edges."""
    return block * axis.down // axis.up + axis.taps


def _stop(axis: Axis, end: int) -> int:
    """One beyond the last pixel under the kernel for the outputs before ``end``."""
    return axis.first_neighbor(end - 1) + axis.taps


def _weights(
    problem: Problem, axis: Axis, i: int, block: int
) -> Float[Tensor, "out inputs rank"]:
    """The basis at every tap, at its place in the window of its block."""
    assert isinstance(problem.kernel, SeparableKernel)
    assert isinstance(problem.grid, AxisGrid)
    taps = axis_taps(
        axis, problem.grid.padding_mode, problem.basis_dtype, problem.image.device
    )
    basis = problem.kernel.axis_basis(taps.distance, i) * taps.weight[..., None]
    n = torch.arange(axis.out_size, device=basis.device)
    tap = torch.arange(axis.taps, device=basis.device)
    offset = axis.first_neighbor(n) - axis.first_neighbor(n - n % block)
    width = max(
        _stop(axis, min(begin + block, axis.out_size)) - axis.first_neighbor(begin)
        for begin in range(0, axis.out_size, block)
    )
    place = (offset[:, None] + tap)[..., None].expand_as(basis)
    return basis.new_zeros(axis.out_size, width, basis.shape[-1]).scatter(
        1, place, basis
    )
