"""A separable convolution with the head early, while there are few pixels."""

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor

from contconv._types import Float
from contconv.engines._bands import Band
from contconv.engines._last_axis import channels_last
from contconv.engines._product import product
from contconv.engines._rows import pieces, window

# Writes the last axis resampled and the channels mixed: [m w c] to [m ao out].
Widen = Callable[[Tensor, Tensor, list[Band], Tensor], None]


def early_head(
    image: Float[Tensor, "n c *in_shape"],
    head: Float[Tensor, "g o i *ranks"],
    bands: list[list[Band]],
    out: Float[Tensor, "n mixed *out_shape"],
    widen: Widen,
) -> None:
    """Write the output: the head and the last axis by ``widen``, then the others."""
    ranks = head.shape[3:-1]
    if image.ndim == 3:
        widen(channels_last(image), head, bands[-1], out)
        return
    slab = prod(image.shape[3:-1]) * prod(ranks) * out.shape[1] * out.shape[-1]
    wide = image.new_empty(0)
    for piece in pieces(image, bands[0], out, slab):
        n, _, *outer = piece.image.shape[:-1]
        done = wide[:, wide.shape[1] - piece.shared :] if piece.shared else None
        # [n d (h) (a b o) w], the axes in brackets only with three axes.
        wide = image.new_empty(n, *outer, prod(ranks) * out.shape[1], out.shape[-1])
        if done is not None:
            wide[:, : piece.shared] = done
        if piece.shared < outer[0]:
            rows = channels_last(piece.image[:, :, piece.shared :])
            widen(rows, head, bands[-1], wide[:, piece.shared :].flatten(0, -3))
        near = wide.flatten(2)
        if len(outer) == 2:
            # [n d h (a b) o w] to [(n d a) h (b) o w].
            near = wide.view(n, *outer, *ranks, -1).transpose(2, 3).flatten(0, 2)
            near = _resample_middle(near, bands[1])
        near = near.reshape(n, outer[0], ranks[0], -1)
        _resample_first(near, piece.bands, piece.out)


def _resample_first(
    wide: Float[Tensor, "n rows a how"],
    bands: list[Band],
    out: Float[Tensor, "n mixed *out_shape"],
) -> None:
    """Resample the first axis, spending its basis."""
    for band in bands:
        matrix = band.weights.flatten(1)
        for values, into in zip(wide, out[:, :, band.outputs], strict=True):
            rows = product(matrix, window(values, band, 0).flatten(0, 1).T)
            rows = rows.view(len(matrix), *out.shape[3:-1], out.shape[1], -1)
            into.copy_(rows.movedim(-2, 0))


def _resample_middle(
    wide: Float[Tensor, "m rows a ow"], bands: list[Band]
) -> Float[Tensor, "m out ow"]:
    """Resample the second of three axes, spending its basis."""
    parts = [
        torch.matmul(band.weights.flatten(1), window(wide, band, 1).flatten(1, 2))
        for band in bands
    ]
    return torch.cat(parts, 1)
