"""The axes of an image resampled, one pass each: by blocks of a matrix, or by taps."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._blocks import by_blocks
from contconv._rounding import rounded
from contconv._transforms import is_transformed
from contconv._types import Num
from contconv._weights import Weights, padded

# Lines from which on blocks are faster than taps.
_MANY_LINES = 64


class Pass(NamedTuple):
    """A dimension of an image, and the weights to resample it with."""

    dim: int
    weights: Weights


def resampled(
    image: Num[Tensor, "*in_shape"], passes: Sequence[Pass]
) -> Num[Tensor, "*out_shape"]:
    """The image after all passes; 8-bit images are rounded after each."""
    fast = [
        suits_blocks(image, dim) and not _is_learned(weights.values)
        for dim, weights in passes
    ]
    out = image
    for suits, (dim, weights) in zip(fast, passes, strict=True):
        out = (by_blocks if suits else by_taps)(out, dim, weights)
    if any(fast) and not _is_finite(min(image, out, key=Tensor.numel)):
        # A block's zeros, too, would make NaN of an infinity.
        out = image
        for dim, weights in passes:
            out = by_taps(out, dim, weights)
    return out


def suits_blocks(image: Tensor, dim: int) -> bool:
    """Whether an image can be resampled by blocks, and faster than by taps."""
    return (
        not is_transformed()
        and image.device.type == "cpu"
        and type(image) in (Tensor, torch.nn.Parameter)
        and image.numel() >= _MANY_LINES * image.shape[dim]
    )


def by_taps(
    image: Num[Tensor, "*in_shape"], dim: int, weights: Weights
) -> Num[Tensor, "*out_shape"]:
    """Resample an axis by operations that all of torch can follow."""
    source, values = padded(weights)
    shape = [1] * image.ndim
    shape[dim] = -1
    out = image.index_select(dim, source[:, 0]) * values[:, 0].view(shape)
    for tap in range(1, source.shape[1]):
        near = image.index_select(dim, source[:, tap])
        out = out + near * values[:, tap].view(shape)
    return (rounded(out) if image.dtype == torch.uint8 else out).to(image.dtype)


def _is_learned(values: Tensor) -> bool:
    wanted = torch.is_grad_enabled() and values.requires_grad
    return wanted or type(values) is not Tensor


def _is_finite(image: Tensor) -> bool:
    return image.dtype == torch.uint8 or isfinite(image.detach().sum().item())
