"""The weighted basis: what a grid means to an engine that sums over taps first."""

from functools import partial
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._grid import AxisGrid
from contconv._kept import kept
from contconv._taps import axis_taps
from contconv._types import Float, Int
from contconv.engines._contract import Problem
from contconv.kernels import SeparableKernel


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
    return kept(kernel.basis_key, use, make, numbers)


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
