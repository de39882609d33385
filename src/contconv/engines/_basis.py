"""The weighted basis: what a grid means to an engine that sums over taps first."""

from typing import NamedTuple

import torch
from torch import Tensor

from contconv._grid import AxisGrid
from contconv._taps import axis_taps
from contconv._types import Float, Int
from contconv.engines._contract import Problem
from contconv.kernels import SeparableKernel


class WeightedBasis(NamedTuple):
    """For output pixels ``p``: their neighbors, and the basis times the weights."""

    source: Int[Tensor, "b p k"]
    basis: Float[Tensor, "b p k r"]


def weighted_basis(problem: Problem, rows: slice = slice(None)) -> WeightedBasis:
    """The basis at all taps of some rows of the output, along its first axis."""
    kernel, grid = problem.kernel, problem.grid
    if isinstance(kernel, SeparableKernel) and isinstance(grid, AxisGrid):
        return _by_axes(problem, kernel, grid, rows)
    source, distances, weights = problem.neighbors(rows)
    return WeightedBasis(source, kernel.basis(distances) * weights[..., None])


def _by_axes(
    problem: Problem, kernel: SeparableKernel, grid: AxisGrid, rows: slice
) -> WeightedBasis:
    """As outer products: the functions are evaluated once per axis, not per pixel."""
    dtype, device = problem.basis_dtype, problem.image.device
    source = torch.zeros(1, 1, dtype=torch.int64, device=device)
    basis = torch.ones(1, 1, 1, dtype=dtype, device=device)
    for i, axis in enumerate(grid.axes):
        taps = axis_taps(axis, grid.padding_mode, dtype, device)
        values = kernel.axis_basis(taps.distance, i) * taps.weight[..., None]
        pixels = taps.source
        if i == 0:
            values, pixels = values[rows], pixels[rows]
        source = source[:, None, :, None] * axis.in_size + pixels[:, None, :]
        source = source.flatten(2).flatten(0, 1)
        basis = basis[:, None, :, None, :, None] * values[:, None, :, None, :]
        basis = basis.flatten(4).flatten(2, 3).flatten(0, 1)
    return WeightedBasis(source[None], basis[None])
