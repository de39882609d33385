"""A separable convolution with the head last, once there are few pixels."""

from math import prod

import torch
from torch import Tensor

from contconv._types import Float
from contconv.engines._bands import Band
from contconv.engines._last_axis import channels_last, gaining, resample_last
from contconv.engines._product import product
from contconv.engines._rows import pieces, window


def late_head(
    image: Float[Tensor, "n c *in_shape"],
    head: Float[Tensor, "g o i *ranks"],
    bands: list[list[Band]],
    out: Float[Tensor, "n mixed *out_shape"],
) -> None:
    """Write the output: resample the last axis, then the others, and mix."""
    ranks = head.shape[3:]
    if image.ndim == 3:
        near = resample_last(channels_last(image), bands[0])
        for values, into in zip(near, out, strict=True):
            _mix(values, head, into)
        return
    inner = prod(image.shape[3:-1]) * ranks[-1]
    slab = max(inner, prod(out.shape[3:-1]) * prod(ranks[1:]))
    slab *= out.shape[-1] * image.shape[1]
    for piece in pieces(image, bands[0], out, slab):
        n, _, *outer = piece.image.shape[:-1]
        near = resample_last(channels_last(piece.image), bands[-1])
        if len(outer) == 2:
            near = _resample_middle(near.view(n * outer[0], outer[1], -1), bands[1])
        _resample_first(near.view(n, outer[0], -1), head, piece.bands, piece.out)


def _resample_first(
    near: Float[Tensor, "n rows hwc"],
    head: Tensor,
    bands: list[Band],
    out: Float[Tensor, "n mixed *out_shape"],
) -> None:
    """Resample the first axis, gaining its basis, and mix."""
    for band in bands:
        matrix = gaining(band)
        for values, into in zip(near, out[:, :, band.outputs], strict=True):
            _mix(product(matrix, window(values, band, 0).T), head, into)


def _resample_middle(
    near: Float[Tensor, "m rows wbc"], bands: list[Band]
) -> Float[Tensor, "m out_a wbc"]:
    """Resample the second of three axes, gaining its basis."""
    parts = [torch.matmul(gaining(band), window(near, band, 1)) for band in bands]
    return torch.cat(parts, 1)


def _mix(
    near: Tensor,
    head: Float[Tensor, "g o i *ranks"],
    out: Float[Tensor, "mixed first *others"],
) -> None:
    """Mix the channels, spending the basis: ``near`` is [h a w b c] in any shape."""
    groups, o, i, *ranks = head.shape
    sizes, ndim = out.shape[1:], len(ranks)
    pairs = [number for pair in zip(sizes, ranks, strict=True) for number in pair]
    order = (*range(0, 2 * ndim, 2), *range(1, 2 * ndim, 2), 2 * ndim)
    moments = near.view(*pairs, groups * i).permute(order)
    if groups == 1:
        matrix = head[0].movedim(1, -1).reshape(o, -1)
        mixed = product(matrix, moments.reshape(-1, matrix.shape[1]))
    else:
        moments = moments.reshape(prod(sizes), prod(ranks), groups, i)
        mixed = torch.einsum("prgi,goir->gop", moments, head.flatten(3))
    out.copy_(mixed.reshape(out.shape))
