"""Bands: the resampling of one axis, as small dense matrices for blocks of outputs."""

from functools import partial
from typing import NamedTuple

from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import AxisGrid
from contconv._runtime.cache import cached
from contconv._runtime.shapes import Float
from contconv.engines.problem import Problem
from contconv.engines.weights import AxisWeights, axis_weights
from contconv.kernels import SeparableKernel


class Band(NamedTuple):
    """Dense weights of consecutive output pixels over their window of the input."""

    outputs: slice
    inputs: slice | Tensor  # a tensor where the window wraps around
    values: Float[Tensor, "out inputs rank"]


def axis_bands(problem: Problem, i: int) -> list[Band]:
    """The bands of axis ``i``."""
    assert isinstance(problem.grid, AxisGrid)
    assert isinstance(problem.kernel, SeparableKernel)
    axis, key = problem.grid.axes[i], problem.kernel.axis_key(i)
    make = partial(_axis_bands, problem, i)
    options = (problem.grid.padding_mode, problem.basis_dtype, problem.image.device)
    numbers = axis.out_size * band_width(axis) * axis.support
    return cached(key, ("bands", axis, *options), make, numbers)


def _axis_bands(problem: Problem, i: int) -> list[Band]:
    return bands_of(weights_of(problem, i), problem.image.shape[2 + i])


def weights_of(problem: Problem, i: int) -> AxisWeights:
    """The weights of axis ``i`` of a problem."""
    assert isinstance(problem.grid, AxisGrid)
    assert isinstance(problem.kernel, SeparableKernel)
    options = (problem.grid, problem.basis_dtype, problem.image.device)
    return axis_weights(problem.kernel, i, *options)


def bands_of(weights: AxisWeights, in_size: int) -> list[Band]:
    """The bands of an axis of ``in_size`` pixels."""
    out_size = len(weights.source)
    block = _block(in_size, out_size)
    return [
        _band(weights, slice(begin, min(begin + block, out_size)), in_size)
        for begin in range(0, out_size, block)
    ]


def _band(weights: AxisWeights, outputs: slice, in_size: int) -> Band:
    source, values = weights.source[outputs], weights.values[outputs]
    low, high = (int(end) for end in source.aminmax())
    inputs, place, width = slice(low, high + 1), source - low, high + 1 - low
    distinct, number = source.unique(return_inverse=True)
    if 2 * len(distinct) < width:
        inputs, place, width = distinct, number, len(distinct)
    return Band(outputs, inputs, AxisWeights(place, values).dense(width))


def _block(in_size: int, out_size: int) -> int:
    """Outputs in a band. Fewer waste less of it on zeros, more make larger products."""
    block = 16 if out_size < 2 * in_size else 32
    return out_size if out_size < 2 * block else block


def band_width(axis: Axis) -> int:
    """About how many inputs a band has, away from the edges."""
    block = _block(axis.in_size, axis.out_size)
    return min(axis.in_size, block * axis.down // axis.up + axis.taps)
