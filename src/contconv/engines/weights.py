"""Weights: a kernel where a grid samples it, per axis, per tap and per phase."""

from collections.abc import Callable, Hashable, Sequence
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
from contconv.kernels.base import is_separable


class AxisWeights(NamedTuple):
    """The basis of one axis at the taps of each output pixel, times their weights."""

    source: Int[Tensor, "out taps"]
    values: Float[Tensor, "out taps rank"]

    def dense(self, in_size: int) -> Float[Tensor, "out in_size rank"]:
        """The weight of every input pixel, mostly zeros."""
        out, _, rank = self.values.shape
        zeros = self.values.new_zeros(out, in_size, rank)
        index = self.source[..., None].expand_as(self.values)
        return zeros.scatter_add(1, index, self.values)

    def window(self, outputs: slice) -> "tuple[slice, AxisWeights]":
        """The inputs that some outputs read, and the weights, counted from there."""
        source, values = self.source[outputs], self.values[outputs]
        low, high = (int(end) for end in source.aminmax())
        return slice(low, high + 1), AxisWeights(source - low, values)


def axis_weights(
    kernel: SeparableKernel,
    i: int,
    grid: AxisGrid,
    dtype: torch.dtype,
    device: torch.device,
) -> AxisWeights:
    """The weights of axis ``i``."""
    taps = axis_taps(grid.axes[i], grid.padding_mode, dtype, device)
    basis = kernel.axis_basis(taps.distance, i)
    return AxisWeights(taps.source, basis * taps.weight[..., None])


class TapWeights(NamedTuple):
    """The basis at all taps of output pixels ``p``, times their weights."""

    source: Int[Tensor, "b p k"]
    values: Float[Tensor, "b p r k"]


def tap_weights(problem: Problem, rows: slice = slice(None)) -> TapWeights:
    """The weights of some rows of the output, along its first axis."""
    kernel, grid = problem.kernel, problem.grid
    if (
        is_separable(kernel)
        and isinstance(grid, AxisGrid)
        and not torch.compiler.is_exporting()  # with symbols, one plain way is best
    ):
        return _cached_products(problem, kernel, grid, rows)
    source, distances, weights = problem.neighbors(rows)
    basis = kernel.basis(distances) * weights[..., None]
    return TapWeights(source, basis.transpose(2, 3).contiguous())


def _cached_products(
    problem: Problem, kernel: SeparableKernel, grid: AxisGrid, rows: slice
) -> TapWeights:
    numbers = problem.pixels * grid.taps * kernel.head.shape[2]
    options = (problem.basis_dtype, problem.image.device)
    use = ("basis", grid, rows.start, rows.stop, *options)
    make = partial(_products, problem, kernel, grid, rows)
    return cached(kernel.basis_key, use, make, numbers)


def _products(
    problem: Problem, kernel: SeparableKernel, grid: AxisGrid, rows: slice
) -> TapWeights:
    """Outer products of the axes: one basis per axis instead of one per pixel."""
    dtype, device = problem.basis_dtype, problem.image.device
    source = torch.zeros(1, 1, dtype=torch.int64, device=device)
    functions = []
    for i, axis in enumerate(grid.axes):
        pixels, values = axis_weights(kernel, i, grid, dtype, device)
        values = values.transpose(1, 2)
        if i == 0:
            pixels, values = pixels[rows], values[rows]
        source = source[:, None, :, None] * axis.in_size + pixels[:, None, :]
        source = source.flatten(2).flatten(0, 1)
        functions.append(values)
    return TapWeights(source[None], _outer(functions)[None])


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


def phase_weights(
    function: Callable[[Tensor], Tensor],
    axes: Sequence[tuple[Tensor, Tensor]],
) -> Tensor:
    """A function of distance at the taps of every phase, times their weights.

    Args:
        function: `ContinuousKernel.basis`, or the kernel itself.
        axes: Distances and weights ``[phases, taps]``, for each axis.

    Returns:
        ``[*phases, *taps, *values]``, one of the first two for each axis.
    """
    ndim = len(axes)
    distances, weight = [], axes[0][1].new_ones(())
    for i, (distance, counts) in enumerate(axes):
        shape = [1] * (2 * ndim)
        shape[i], shape[ndim + i] = distance.shape
        distances.append(distance.view(shape))
        weight = weight * counts.view(shape)
    values = function(torch.stack(torch.broadcast_tensors(*distances), -1))
    return values * weight.view(*weight.shape, *[1] * (values.ndim - 2 * ndim))


class NormalizedWeights(NamedTuple):
    """The weights of one axis for `resize`, one row per output pixel."""

    axis: Axis
    padding_mode: str
    pixel: Int[Tensor, "out taps"]  # of any sign
    values: Float[Tensor, "out taps"]  # sum to one, before the padding
    key: Hashable | None  # what they depend on, if that never changes


def normalized_weights(
    kernel: SeparableKernel,
    i: int,
    grid: AxisGrid,
    dtype: torch.dtype,
    device: torch.device,
    outputs: tuple[int, int] | None = None,
) -> NormalizedWeights:
    """The weights of axis ``i``, whose kernel has a single function.

    Those of all output pixels, or of those from one to before another.
    """
    axis, known = grid.axes[i], kernel.axis_key(i)
    if outputs is None:
        outputs = 0, axis.out_size  # a range would be a graph for each size
    use = ("weights", axis, outputs, grid.padding_mode, dtype, device)
    key = None if known is None else (known, *use)
    make = partial(_normalized_weights, kernel, i, grid, dtype, device, outputs, key)
    return cached(known, use, make, (outputs[1] - outputs[0]) * axis.taps)


def _normalized_weights(
    kernel: SeparableKernel,
    i: int,
    grid: AxisGrid,
    dtype: torch.dtype,
    device: torch.device,
    outputs: tuple[int, int],
    key: Hashable | None,
) -> NormalizedWeights:
    axis = grid.axes[i]
    n = torch.arange(*outputs, device=device)
    tap = torch.arange(axis.taps, device=device)
    pixel = axis.first_neighbor(n)[:, None] + tap
    distance, weight = weigh(axis, n, pixel, dtype)
    values = kernel.axis_basis(distance, i)[..., 0] * weight
    values = values / values.sum(-1, keepdim=True)
    return NormalizedWeights(axis, grid.padding_mode, pixel, values, key)


def padded(
    weights: NormalizedWeights,
) -> tuple[Int[Tensor, "out taps"], Float[Tensor, "out taps"]]:
    """The pixels after padding, all within the image, and their weights."""
    axis, mode, pixel, values, _ = weights
    inside = is_source(pixel, axis.in_size, mode)
    values = values if inside is None else values * inside
    # A tap without weight reads a pixel that counts anyway: its own may be infinite.
    best = pixel.gather(1, values.detach().abs().argmax(1, keepdim=True))
    pixel = torch.where(values == 0, best, pixel)
    return source_index(pixel, axis.in_size, mode), values
