"""Tap tables: the input pixels and the basis values of each output pixel.

They are products of two factors: the leading axes, and the last one. Where the basis is
no product, or its values learn, the first factor is all of it, and the second a one.
"""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._grid.grid import AxisGrid
from contconv._runtime.cache import cached
from contconv._runtime.shapes import Float, Int
from contconv.engines.problem import Problem
from contconv.engines.weights import axis_weights
from contconv.kernels import SeparableKernel
from contconv.kernels.base import is_separable

# Most functions of the last axis: a kernel holds a sum for each.
_MAX_RANK_PER_AXIS = 8


class Factor(NamedTuple):
    """One factor of a table: for each line, the lines that it reads, and the basis."""

    source: Int[Tensor, "lines taps"]  # the line that is read, int32
    basis: Float[Tensor, "lines taps rank"]  # times the weights of the taps


class Tables(NamedTuple):
    """Two factors of a table: output ``(u, v)`` reads the lines ``a[u]`` and ``b[v]``.

    The basis functions are all products, those of ``b`` fastest.
    """

    a: Factor
    b: Factor
    across: int  # how many pixels a line of ``a`` has, in what is read

    def whole(self) -> tuple[Int[Tensor, "p k"], Float[Tensor, "p r k"]]:
        """Both factors multiplied out into a single table."""
        a, b = self.a, self.b
        u, v = a.source[:, None, :, None].long(), b.source[None, :, None, :].long()
        source = (u * self.across + v).flatten(2).flatten(0, 1)
        values = torch.einsum("uia,vjb->uvabij", a.basis, b.basis)
        return source, values.flatten(4).flatten(2, 3).flatten(0, 1)


def tables(problem: Problem) -> Tables:
    """The tables of a problem; if the images have grids of their own, of all images."""
    kernel, grid = problem.kernel, problem.grid
    if (
        is_separable(kernel)
        and isinstance(grid, AxisGrid)
        and kernel.basis_key is not None
        and kernel.axis_basis(_none(problem), kernel.ndim - 1).shape[-1]
        <= _MAX_RANK_PER_AXIS
    ):
        use = ("factors", grid, problem.basis_dtype, problem.image.device)
        make = partial(_by_axes, problem, kernel, grid)
        return cached(kernel.basis_key, use, make)
    source, distances, weights = problem.neighbors()
    basis = kernel.basis(distances) * weights[..., None]
    pixels = torch.arange(len(source), device=source.device)
    source = source + pixels[:, None, None] * problem.image.shape[2:].numel()
    a = Factor(source.flatten(0, 1).int(), basis.flatten(0, 1))
    return Tables(a, _one(basis), 1)


def _by_axes(problem: Problem, kernel: SeparableKernel, grid: AxisGrid) -> Tables:
    factors = []
    for i in range(len(grid.axes)):
        device = problem.image.device
        found = axis_weights(kernel, i, grid, problem.basis_dtype, device)
        factors.append(Factor(found.source.int(), found.values))
    if len(factors) == 1:
        return Tables(factors[0], _one(factors[0].basis), 1)
    a, *others, b = factors
    for factor, axis in zip(others, grid.axes[1:], strict=False):
        source, basis = Tables(a, factor, axis.in_size).whole()
        a = Factor(source.int(), basis.transpose(1, 2).contiguous())
    return Tables(a, b, grid.axes[-1].in_size)


def _none(problem: Problem) -> Tensor:
    return torch.zeros(0, dtype=problem.basis_dtype, device=problem.image.device)


def _one(like: Tensor) -> Factor:
    """A factor of one line, one tap and the value 1."""
    source = torch.zeros(1, 1, dtype=torch.int32, device=like.device)
    return Factor(source, like.new_ones(1, 1, 1))


class CSRRows(NamedTuple):
    """A factor in compressed sparse rows: entries, and where those of a line begin."""

    source: Int[Tensor, " entries"]
    basis: Float[Tensor, "entries rank"]
    begin: Int[Tensor, " lines_and_one"]  # not read if ``taps`` are equally many
    lines: int
    taps: int  # of every line; 0 if they have different numbers


def rows(factor: Factor) -> CSRRows:
    """The rows of a factor whose lines have equally many taps; views, no copies."""
    lines, taps, rank = factor.basis.shape
    begin = torch.zeros(1, dtype=torch.int64, device=factor.source.device)
    source, basis = factor.source.contiguous(), factor.basis.contiguous()
    return CSRRows(source.view(-1), basis.view(-1, rank), begin, lines, taps)


def transposed(factor: Factor, lines: int) -> CSRRows:
    """The transposed factor: for each of ``lines``, the lines that read it.

    Entries that do not count are left out: far points all point at one pixel.
    """
    _, taps, rank = factor.basis.shape
    basis = factor.basis.reshape(-1, rank)
    dead = (basis == 0).all(1)
    read = factor.source.reshape(-1).masked_fill(dead, lines)
    read, order = read.sort(stable=True)
    ends = torch.arange(lines + 1, dtype=read.dtype, device=read.device)
    begin = torch.searchsorted(read, ends)
    source = (order // taps).int()
    return CSRRows(source, basis.index_select(0, order), begin, lines, 0)
