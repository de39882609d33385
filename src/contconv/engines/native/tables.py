"""The tables of a convolution: for each axis the taps, and the basis there."""

from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import AxisGrid, PointGrid
from contconv._runtime.cache import cached
from contconv.engines.problem import Problem
from contconv.kernels import SeparableKernel

# Sources (int32, -1 behind the last) and weights, of z, y and x.
Tables: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]

# As the library numbers them.
PADDING_MODES = ("zeros", "reflect", "replicate", "circular", "symmetric")


def axis_tables(problem: Problem) -> Tables:
    """The tables of all axes; where there is none, one tap that changes nothing."""
    kernel, grid = problem.kernel, problem.grid
    assert isinstance(kernel, SeparableKernel)
    if isinstance(grid, PointGrid):
        return _filled([_learned_table(kernel, grid, i) for i in range(kernel.ndim)])
    numbers = (
        sum(axis.out_size * axis.taps for axis in grid.axes) * kernel.head.shape[2]
    )
    make = partial(_axis_tables, kernel, grid)
    return cached(kernel.basis_key, ("native", grid), make, numbers)


def _axis_tables(kernel: SeparableKernel, grid: AxisGrid) -> Tables:
    tables: list[tuple[Tensor, Tensor]] = []
    made: dict[object, tuple[Tensor, Tensor]] = {}
    for i, axis in enumerate(grid.axes):
        key = None if torch.compiler.is_compiling() else kernel.axis_key(i)
        if key is None:
            tables.append(_axis_table(kernel, i, axis, grid.padding_mode))
            continue
        if (key, axis) not in made:
            made[key, axis] = _axis_table(kernel, i, axis, grid.padding_mode)
        tables.append(made[key, axis])
    return _filled(tables)


def _filled(tables: list[tuple[Tensor, Tensor]]) -> Tables:
    """Tables of three axes."""
    source = torch.zeros(1, 1, dtype=torch.int32, device="cpu")
    none = source, torch.ones(1, 1, 1, dtype=torch.float32, device="cpu")
    pairs = [none] * (3 - len(tables)) + tables
    return tuple(one for pair in pairs for one in pair)  # type: ignore


def _learned_table(
    kernel: SeparableKernel, grid: PointGrid, i: int
) -> tuple[Tensor, Tensor]:
    """The table of positions, to which gradients flow; taps that count come first."""
    assert grid.positions is not None
    source, distance, weight = grid.axis_taps(grid.positions[i], i)
    order = (weight == 0).to(torch.int8).argsort(dim=1, stable=True)
    source, distance, weight = (
        one.gather(1, order) for one in (source, distance.float(), weight.float())
    )
    source = source.to(torch.int32).masked_fill(weight == 0, -1)
    basis = kernel.axis_basis(distance, i)
    return source, (basis * weight[..., None]).contiguous()


def _axis_table(
    kernel: SeparableKernel, i: int, axis: Axis, padding_mode: str
) -> tuple[Tensor, Tensor]:
    source, distance, weight = torch.ops.contconv_native.axis_taps(
        *(axis.in_size, axis.out_size, axis.up, axis.down, axis.reach),
        *(axis.position(0), axis.stretched, PADDING_MODES.index(padding_mode)),
        axis.taps,
    )
    basis = kernel.axis_basis(distance, i)
    return source, (basis * weight[..., None]).contiguous()
