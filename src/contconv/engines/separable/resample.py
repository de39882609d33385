"""One axis resampled, which gains or spends its basis.

Data are ``[n, c, *pixels, *bases]``: an axis has a basis of its own at the end, of one
function before the axis is resampled early and after it is resampled late.
"""

import torch
from torch import Tensor

from contconv._runtime.shapes import Float
from contconv.engines.weights import AxisWeights

# Outputs in a band: fewer multiply by fewer zeros, more make larger products.
BAND = 64


def by_taps(data: Tensor, axis: int, weights: AxisWeights, gains: bool) -> Tensor:
    """The axis resampled: each output reads its taps, and nothing else.

    It gains its basis, or else spends it.
    """
    at, rank, dims = _places(data, axis)
    tap, after = data.ndim, data.ndim + 1
    near = data.index_select(at, weights.source.flatten())
    near = near.unflatten(at, weights.source.shape)
    read, out = dims.copy(), dims.copy()
    read.insert(at + 1, tap)
    out[rank] = after
    values = _between(weights.values, gains)
    return torch.einsum(near, read, values, [at, tap, rank, after], out)


def by_bands(data: Tensor, axis: int, weights: AxisWeights, gains: bool) -> Tensor:
    """`by_taps` by products with dense matrices, which are mostly zeros.

    Each is of consecutive outputs and of all inputs between the lowest and the highest
    that these read: larger products than tap by tap, which run several times as fast.
    """
    at, rank, dims = _places(data, axis)
    one, after = data.ndim, data.ndim + 1
    out = dims.copy()
    out[at], out[rank] = one, after
    bands = []
    for start in range(0, len(weights.source), BAND):
        inputs, band = weights.window(slice(start, start + BAND))
        width = inputs.stop - inputs.start
        near = data.narrow(at, inputs.start, width)
        matrix = _between(band.dense(width), gains)
        bands.append(torch.einsum(near, dims, matrix, [one, at, rank, after], out))
    return torch.cat(bands, at)


def _places(data: Tensor, axis: int) -> tuple[int, int, list[int]]:
    """The dimension of the pixels of an axis, that of its basis, and all dimensions."""
    return 2 + axis, 2 + (data.ndim - 2) // 2 + axis, list(range(data.ndim))


def _between(
    values: Float[Tensor, "out inputs rank"], gains: bool
) -> Float[Tensor, "out inputs before after"]:
    """The weights from one function to a basis, or back."""
    return values[:, :, None] if gains else values[..., None]
