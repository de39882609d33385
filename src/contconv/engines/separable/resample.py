"""One axis resampled, which gains or spends its basis.

Data are ``[n, c, *pixels, *bases]``: an axis has a basis of its own at the end, of one
function before the axis is resampled early and after it is resampled late.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._runtime.shapes import Float, Int
from contconv.engines.weights import AxisWeights

# Outputs in a band: fewer multiply by fewer zeros, more make larger products.
BAND = 64


class Weights(NamedTuple):
    """The weights of the taps of each output, from one basis to another."""

    source: Int[Tensor, "out taps"]
    values: Float[Tensor, "out taps before after"]


def gaining(axis: AxisWeights) -> Weights:
    """From one function to a basis."""
    return Weights(axis.source, axis.values[:, :, None])


def spending(axis: AxisWeights) -> Weights:
    """From a basis to one function."""
    return Weights(axis.source, axis.values[..., None])


def by_taps(data: Tensor, axis: int, weights: Weights) -> Tensor:
    """The axis resampled: each output reads its taps, and nothing else."""
    at, rank, dims = _places(data, axis)
    tap, after = data.ndim, data.ndim + 1
    near = data.index_select(at, weights.source.flatten())
    near = near.unflatten(at, weights.source.shape)
    read, out = dims.copy(), dims.copy()
    read.insert(at + 1, tap)
    out[rank] = after
    return torch.einsum(near, read, weights.values, [at, tap, rank, after], out)


def by_bands(data: Tensor, axis: int, weights: Weights) -> Tensor:
    """The axis resampled by products with dense matrices, which are mostly zeros.

    Each is of consecutive outputs and of all inputs between the lowest and the highest
    that these read: larger products than tap by tap, which run several times as fast.
    """
    at, rank, dims = _places(data, axis)
    one, after = data.ndim, data.ndim + 1
    out = dims.copy()
    out[at], out[rank] = one, after
    bands = []
    for low, high, matrix in _bands(weights):
        near = data.narrow(at, low, high - low)
        bands.append(torch.einsum(near, dims, matrix, [one, at, rank, after], out))
    return torch.cat(bands, at)


def _places(data: Tensor, axis: int) -> tuple[int, int, list[int]]:
    """The dimension of the pixels of an axis, that of its basis, and all dimensions."""
    return 2 + axis, 2 + (data.ndim - 2) // 2 + axis, list(range(data.ndim))


def _bands(
    weights: Weights,
) -> Iterator[tuple[int, int, Float[Tensor, "out inputs before after"]]]:
    """From which input up to which each band reads, and its matrix."""
    parts = (one.split(BAND) for one in weights)
    for source, values in zip(*parts, strict=True):
        low, last = (int(end) for end in source.aminmax())
        zeros = values.new_zeros(len(source), last + 1 - low, *values.shape[2:])
        place = (source - low)[..., None, None].expand_as(values)
        yield low, last + 1, zeros.scatter_add(1, place, values)
