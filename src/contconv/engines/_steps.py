"""The steps of a separable convolution, in operations that differentiate."""

from string import ascii_lowercase

import torch
from torch import Tensor

from contconv._types import Float
from contconv.engines._bands import Band
from contconv.engines._order import HEAD
from contconv.engines._rows import window


def run_steps(
    image: Float[Tensor, "n c *in_shape"],
    head: Float[Tensor, "g o i *ranks"],
    bands: list[list[Band]],
    order: tuple[int, ...],
) -> Float[Tensor, "n out *out_shape"]:
    """The steps in ``order``, each on the whole batch.

    What is passed on has the axes: images, groups, pixels (one axis each), basis
    functions (one axis each, of size 1 until they are gained and when they are spent),
    channels.
    """
    ndim = len(bands)
    data = image.unflatten(1, (head.shape[0], -1)).movedim(2, -1)
    data = data[(..., *[None] * ndim, slice(None))]
    before = order[: order.index(HEAD)]
    for step in order:
        if step == HEAD:
            data = _mix(data, head, before)
        else:
            data = _resample(data, bands[step], step, ndim, step not in before)
    return data.flatten(2 + ndim).movedim(-1, 2).flatten(1, 2)


def _mix(data: Tensor, head: Tensor, resampled: tuple[int, ...]) -> Tensor:
    """Mix the channels: spend the basis of the resampled axes, gain the others'."""
    ndim = head.ndim - 3
    letters = iter(ascii_lowercase)
    n, g, c, o = (next(letters) for _ in range(4))
    pixels = [next(letters) for _ in range(ndim)]
    ranks = [next(letters) for _ in range(ndim)]
    spent = [ranks[i] for i in range(ndim) if i in resampled]
    gained = [ranks[i] for i in range(ndim) if i not in resampled]
    for i in reversed(range(ndim)):
        if i not in resampled:
            data = data.squeeze(2 + ndim + i)
    equation = (
        "".join([n, g, *pixels, *spent, c])
        + "".join([",", g, o, c, *ranks])
        + "".join(["->", n, g, *pixels, *gained, o])
    )
    out = torch.einsum(equation, data, head)
    for i in sorted(resampled):
        out = out.unsqueeze(2 + ndim + i)
    return out


def _resample(
    data: Tensor, bands: list[Band], step: int, ndim: int, spend: bool
) -> Tensor:
    """Resample an axis, block by block: spend its basis, or gain it."""
    pixel, rank = 2 + step, 2 + ndim + step
    data = data.movedim((pixel, rank), (-2, -1))
    if spend:
        parts = [
            torch.einsum("...ir,oir->...o", window(data, band, -2), band.weights)[
                ..., None
            ]
            for band in bands
        ]
    else:
        parts = [
            torch.einsum(
                "...i,oir->...or", window(data[..., 0], band, -1), band.weights
            )
            for band in bands
        ]
    return torch.cat(parts, -2).movedim((-2, -1), (pixel, rank))
