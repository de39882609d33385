"""Tables for each pixel: its neighbors, and the basis there.

For bases that are no product over the axes, and for points. On a resized grid neighbors
are those of each axis, and pixels that lie alike between input pixels share a part of
the table; points have neighbors of their own.
"""

from functools import partial
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import AxisGrid, PointGrid
from contconv._grid.padding import is_source, source_index
from contconv._grid.taps import weigh
from contconv._runtime.cache import cached, cached_by_parameters
from contconv._runtime.shapes import Float
from contconv.engines.problem import Problem
from contconv.engines.weights import phase_weights
from contconv.kernels import SeparableKernel
from contconv.kernels.base import is_separable

# Numbers of a table that is kept: 16 MiB. To make it takes 20 to 100 times as long as
# to use it.
MOST_KEPT = 2**22

# Distances at which a basis is evaluated at once: a network's layers hold 100 numbers
# for each.
_PLACES = 2**16


class PixelTables(NamedTuple):
    """What the library takes beside image and head."""

    sources: tuple[Tensor, ...]  # int32: for z, y and x [out, taps], and phases [out]
    table: Float[Tensor, "rows taps rank"]
    shape: tuple[int, ...]  # of the output


class AxisNeighbors(NamedTuple):
    """The neighbors along one axis, and where the basis is evaluated."""

    source: Tensor  # int32 [out, taps]; -1 for what does not count
    phase: Tensor  # int32 [out]; empty where each output has a row of its own
    distance: Float[Tensor, "phases taps"]
    weight: Float[Tensor, "phases taps"]

    def of(self, rows: slice) -> "AxisNeighbors":
        """Those of some outputs."""
        if len(self.phase):
            return self._replace(source=self.source[rows], phase=self.phase[rows])
        kept = (self.source, self.distance, self.weight)
        source, distance, weight = (values[rows] for values in kept)
        return AxisNeighbors(source, self.phase, distance, weight)


def pixel_tables(problem: Problem, rows: slice | None = None) -> PixelTables:
    """The tables of the output, or of some of its rows, along the first axis."""
    if not isinstance(problem.grid, AxisGrid) or torch.compiler.is_compiling():
        return _of_points(problem, rows)
    make = partial(_neighbors, problem.grid)
    numbers = sum(axis.out_size * axis.taps for axis in problem.grid.axes)
    axes = cached("neighbors", ("native", problem.grid), make, 3 * numbers)
    if rows is not None:
        axes = [axes[0].of(rows), *axes[1:]]
    table = _cached_table(problem, axes) if rows is None else _table(problem, axes)
    ndim, none = len(axes), torch.empty(0, 0, dtype=torch.int32, device="cpu")
    absent = [none, none.flatten()] * (3 - ndim)
    sources = [one for axis in axes for one in (axis.source, axis.phase)]
    shape = tuple(len(axis.source) for axis in axes)
    return PixelTables((*absent, *sources), table, shape)


def row_numbers(problem: Problem) -> int:
    """About the numbers of the table that a row of the output takes."""
    grid = problem.grid
    if isinstance(grid, AxisGrid) and _shares(grid):
        return 0
    pixels = grid.batch * problem.pixels // max(1, grid.out_shape[0])
    return pixels * grid.taps * problem.kernel.head.shape[2]


def _shares(grid: AxisGrid) -> bool:
    """Whether so many pixels lie alike that it is worth to say which."""
    return 2 * prod([one.phases for one in grid.axes]) <= prod(grid.out_shape)


def _neighbors(grid: AxisGrid) -> list[AxisNeighbors]:
    shares = _shares(grid)
    return [_along(axis, grid.padding_mode, shares) for axis in grid.axes]


def _along(axis: Axis, padding_mode: str, shares: bool) -> AxisNeighbors:
    n = torch.arange(axis.out_size, device="cpu")
    tap = torch.arange(axis.taps, device="cpu")
    pixel = axis.first_neighbor(n)[:, None] + tap
    distance, weight = weigh(axis, n, pixel, torch.float32)
    counts = weight != 0
    if (inside := is_source(pixel, axis.in_size, padding_mode)) is not None:
        counts &= inside
    source = source_index(pixel, axis.in_size, padding_mode)
    source = torch.where(counts, source, -1).int()
    phase = torch.empty(0, dtype=torch.int32, device="cpu")
    if shares:
        # Outputs a period apart have the same distances.
        phase = n.remainder(axis.phases).int()
        distance, weight = distance[: axis.phases], weight[: axis.phases]
    return AxisNeighbors(source, phase, distance, weight)


def _cached_table(
    problem: Problem, axes: list[AxisNeighbors]
) -> Float[Tensor, "rows taps rank"]:
    """The table, kept while the kernel does not change, where nothing learns."""
    make, kernel = partial(_table, problem, axes), problem.kernel
    numbers = row_numbers(problem) * len(axes[0].source)
    learns = any(one.requires_grad for one in kernel.parameters())
    if numbers > MOST_KEPT or (torch.is_grad_enabled() and learns):
        return make()
    use = ("pixel table", problem.grid)
    if kernel.basis_key is not None:
        return cached(kernel.basis_key, use, make, numbers)
    if (needs := kernel.dependence()) is None:
        return make()
    key = (needs.constants, *use)
    # The head is no part of the table, but comes first.
    return cached_by_parameters(kernel, key, needs.tensors[1:], make)


def _table(
    problem: Problem, axes: list[AxisNeighbors]
) -> Float[Tensor, "rows taps rank"]:
    taps = prod(axis.distance.shape[1] for axis in axes)
    first, step = axes[0], len(axes[0].distance)
    if not (torch.is_grad_enabled() and problem.learns):
        rows = prod(len(axis.distance) for axis in axes[1:])
        step = max(1, _PLACES // (rows * taps))
    parts = []
    for start in range(0, max(1, len(first.distance)), step):
        some = slice(start, start + step)
        places = [(first.distance[some], first.weight[some])]
        places += [(axis.distance, axis.weight) for axis in axes[1:]]
        values = phase_weights(problem.kernel.basis, places)
        parts.append(values.reshape(-1, taps, values.shape[-1]).float())
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).contiguous()


def _of_points(problem: Problem, rows: slice | None) -> PixelTables:
    """The neighbors of each output pixel; of each image, where they differ."""
    kernel, grid, shape = problem.kernel, problem.grid, problem.grid.out_shape
    if rows is None:
        rows = slice(None)
    else:
        shape = (len(range(*rows.indices(shape[0]))), *shape[1:])
    if isinstance(grid, PointGrid) and is_separable(kernel):
        source, table = _products(kernel, grid, rows)
    else:
        index, distances, weights = problem.neighbors(rows)
        table = kernel.basis(distances) * weights[..., None]
        source = torch.where(weights.detach() == 0, -1, index).flatten(0, 1)
        table = table.flatten(0, 1)
    source = source.int()
    none, no_phase = source.new_empty(0, 0), source.new_empty(0)
    sources = (none, no_phase, none, no_phase, source, no_phase)
    return PixelTables(sources, table.float().contiguous(), shape)


def _products(
    kernel: SeparableKernel, grid: PointGrid, rows: slice
) -> tuple[Tensor, Tensor]:
    """Of a basis per axis: fewer values than at all taps."""
    points = grid.points[:, rows].flatten(0, -2)
    source = points.new_zeros(1, 1, dtype=torch.int64)
    table = points.new_ones(1, 1, 1)
    for i, size in enumerate(grid.in_shape):
        own, distance, weight = grid.axis_taps(points[:, i], i)
        values = kernel.axis_basis(distance.float(), i) * weight.float()[..., None]
        own = torch.where(weight == 0, -1, own)
        both = source[:, :, None] * size + own[:, None]
        inside = (source >= 0)[:, :, None] & (own >= 0)[:, None]
        source = torch.where(inside, both, -1).flatten(1)
        table = table[:, :, None, :, None] * values[:, None, :, None]
        table = table.flatten(3).flatten(1, 2)
    return source, table
