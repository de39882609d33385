"""The weighted basis: what a grid means to an engine that sums over taps first."""

from collections.abc import Hashable
from functools import partial
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import AxisGrid
from contconv._grid.padding import is_source, source_index
from contconv._grid.taps import axis_taps, weigh
from contconv._runtime.cache import cached
from contconv._runtime.shapes import Float, Int
from contconv.engines.problem import Problem
from contconv.kernels import SeparableKernel


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
    return cached(known, use, make, axis.out_size * axis.taps)


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
    # What counts nothing is read nowhere else than what does: it may be infinite.
    best = pixel.gather(1, values.detach().abs().argmax(1, keepdim=True))
    pixel = torch.where(values == 0, best, pixel)
    return source_index(pixel, axis.in_size, mode), values


class WeightedBasis(NamedTuple):
    """For output pixels ``p``: their neighbors, and the basis times the weights."""

    source: Int[Tensor, "b p k"]
    basis: Float[Tensor, "b p r k"]


def weighted_basis(problem: Problem, rows: slice = slice(None)) -> WeightedBasis:
    """The basis at all taps of some rows of the output, along its first axis."""
    kernel, grid = problem.kernel, problem.grid
    if (
        isinstance(kernel, SeparableKernel)
        and isinstance(grid, AxisGrid)
        and not torch.compiler.is_exporting()  # with symbols, one plain way is best
    ):
        return _kept_by_axes(problem, kernel, grid, rows)
    source, distances, weights = problem.neighbors(rows)
    basis = kernel.basis(distances) * weights[..., None]
    return WeightedBasis(source, basis.transpose(2, 3).contiguous())


def _kept_by_axes(
    problem: Problem, kernel: SeparableKernel, grid: AxisGrid, rows: slice
) -> WeightedBasis:
    numbers = problem.pixels * grid.taps * kernel.head.shape[2]
    options = (problem.basis_dtype, problem.image.device)
    use = ("basis", grid, rows.start, rows.stop, *options)
    make = partial(_by_axes, problem, kernel, grid, rows)
    return cached(kernel.basis_key, use, make, numbers)


def _by_axes(
    problem: Problem, kernel: SeparableKernel, grid: AxisGrid, rows: slice
) -> WeightedBasis:
    """As outer products: the functions are evaluated once per axis, not per pixel."""
    dtype, device = problem.basis_dtype, problem.image.device
    source = torch.zeros(1, 1, dtype=torch.int64, device=device)
    taps = [axis_taps(axis, grid.padding_mode, dtype, device) for axis in grid.axes]
    functions = []
    for i, (axis, along) in enumerate(zip(grid.axes, taps, strict=True)):
        values = kernel.axis_basis(along.distance, i) * along.weight[..., None]
        pixels, values = along.source, values.transpose(1, 2)
        if i == 0:
            pixels, values = pixels[rows], values[rows]
        source = source[:, None, :, None] * axis.in_size + pixels[:, None, :]
        source = source.flatten(2).flatten(0, 1)
        functions.append(values)
    return WeightedBasis(source[None], _outer(functions)[None])


def _outer(values: list[Tensor]) -> Float[Tensor, "p r k"]:
    """All products of ``[out, rank, taps]`` per axis, the last axis fastest."""
    ndim = len(values)
    ranks, taps = ([v.shape[d] for v in values] for d in (1, 2))
    basis = values[0].new_ones(1, 1)
    for i, value in enumerate(values):
        shape = [1] * (2 * ndim)
        shape[i], shape[ndim + i] = value.shape[1:]
        # Spread over all axes first: long rows multiply ten times faster.
        rows = value.reshape(-1, *shape).expand(-1, *ranks, *taps).flatten(1)
        basis = (basis[:, None] * rows).flatten(0, 1)
    return basis.view(len(basis), prod(ranks), prod(taps))


class AxisBasis(NamedTuple):
    """The basis of an axis at the taps of each output, times their weights."""

    source: Int[Tensor, "out taps"]
    weights: Float[Tensor, "out taps rank"]


def axis_basis(problem: Problem, i: int) -> AxisBasis:
    """The basis of axis ``i``."""
    assert isinstance(problem.grid, AxisGrid)
    assert isinstance(problem.kernel, SeparableKernel)
    axis, mode = problem.grid.axes[i], problem.grid.padding_mode
    taps = axis_taps(axis, mode, problem.basis_dtype, problem.image.device)
    basis = problem.kernel.axis_basis(taps.distance, i)
    return AxisBasis(taps.source, basis * taps.weight[..., None])
