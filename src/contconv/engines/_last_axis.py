"""The last axis resampled and the channels mixed, in either order, by rows."""

from math import prod

import torch
from torch import Tensor

from contconv._types import Float
from contconv.engines._bands import Band
from contconv.engines._product import product
from contconv.engines._rows import window

# Most numbers in what is passed from the one step to the other, for some rows at a
# time: they stay in the cache. Fewer would make the calls themselves count.
CACHED = 2**19


def mix_then_resample(
    pixels: Float[Tensor, "m w c"],
    head: Float[Tensor, "g o i *ranks"],
    bands: list[Band],
    wide: Float[Tensor, "m ao out"],
) -> None:
    """Mix the channels, then spend the basis of the last axis."""
    rank, columns = head.shape[-1], wide.shape[1]
    matrices = [band.weights.flatten(1).T for band in bands]
    rows = max(1, CACHED // max(1, pixels.shape[1] * rank * columns))
    for some, into in zip(pixels.split(rows), wide.split(rows), strict=True):
        mixed = _mix(some.flatten(0, 1), head).reshape(len(some), -1, rank, columns)
        for band, matrix in zip(bands, matrices, strict=True):
            near = window(mixed, band, 1).flatten(1, 2).transpose(1, 2)
            into[..., band.outputs] = torch.bmm(near, matrix.expand(len(some), -1, -1))


def _mix(pixels: Tensor, head: Tensor) -> Tensor:
    """The channels of pixels mixed: ``[pixels, b a g o]``, in any shape."""
    groups, o, i, *ranks = head.shape
    order = (head.ndim - 1, *range(3, head.ndim - 1), 0, 1)  # b, a, g, o
    matrix = head.permute(*order, 2)
    if groups == 1:
        return product(pixels, matrix.reshape(-1, i))
    if i == o == 1:
        return pixels[:, None] * matrix.reshape(-1, groups)
    by_group = matrix.reshape(prod(ranks), groups, o, i)
    return torch.einsum("pgi,rgoi->prgo", pixels.unflatten(1, (groups, i)), by_group)


def resample_then_mix(
    pixels: Float[Tensor, "m w c"],
    head: Float[Tensor, "g o i *ranks"],
    bands: list[Band],
    wide: Float[Tensor, "m ao out"],
) -> None:
    """Gain the basis of the last axis, then spend it as the channels are mixed."""
    groups, _, i, *ranks = head.shape
    rows = max(1, CACHED // max(1, wide.shape[2] * ranks[-1] * pixels.shape[2]))
    # [a, g, o] by [b, i]
    head = head.permute(*range(3, head.ndim - 1), 0, 1, head.ndim - 1, 2)
    for some, into in zip(pixels.split(rows), wide.split(rows), strict=True):
        near = resample_last(some, bands)
        if groups == 1:
            matrix = head.reshape(-1, ranks[-1] * i)
            mixed = product(matrix, near.view(-1, matrix.shape[1]))
            into.copy_(mixed.view(len(matrix), *near.shape[:2]).transpose(0, 1))
        else:
            matrix = head.flatten(0, -5)
            near = near.unflatten(3, (groups, i))
            mixed = torch.einsum("mwbgi,agobi->magow", near, matrix)
            into.copy_(mixed.reshape(into.shape))


def resample_last(
    pixels: Float[Tensor, "m w c"], bands: list[Band]
) -> Float[Tensor, "m out b c"]:
    """Resample the last axis, gaining its basis."""
    m, _, c = pixels.shape
    size, rank = bands[-1].outputs.stop, bands[0].weights.shape[2]
    near = pixels.new_empty(m, size, rank, c)
    for band in bands:
        matrix = gaining(band).expand(m, -1, -1)
        values = torch.bmm(matrix, window(pixels, band, 1))
        near[:, band.outputs] = values.unflatten(1, (-1, rank))
    return near


def gaining(band: Band) -> Float[Tensor, "out_rank inputs"]:
    """The matrix of a band that gains the basis."""
    return band.weights.transpose(1, 2).flatten(0, 1)


def channels_last(image: Float[Tensor, "n c *in_shape"]) -> Float[Tensor, "m w c"]:
    """Rows of pixels, really contiguous: a view would make every product slow."""
    n, c, width = *image.shape[:2], image.shape[-1]
    pixels = image.new_empty(n, image[0, :1].numel() if n else 0, c)
    # One matrix at a time: torch transposes these four times faster than a batch.
    for one, into in zip(image.flatten(2), pixels, strict=True):
        into.copy_((one.contiguous() if one.stride(1) == 1 else one).T)
    return pixels.view(-1, width, c)
