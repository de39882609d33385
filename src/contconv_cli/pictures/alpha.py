"""Opacity: how much the colours below it weigh, and between which values it stays."""

from fractions import Fraction

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

# How far colours are continued; further than any network here looks.
_ROUNDS = 24

# How far a pixel that can hardly be seen takes the colours of others, and below which
# part of their opacity. With 8 pixels and no such part, colours of a picture that fades
# out were smeared: 3.0 grey levels off on the mean, not 1.6, on either background.
_REACH, _PART = 4, 0.25


def filled(planes: Tensor, alpha: Tensor) -> Tensor:
    """Colours continued into what is fully transparent, from its neighbors.

    Args:
        planes: ``[c, h, w]``, floats.
        alpha: ``[h, w]``.
    """
    known = (alpha > 0).to(planes)[None, None]
    if known.all() or not known.any():
        return planes
    colours = planes[None] * known
    for _ in range(_ROUNDS):
        weight = avg_pool2d(known, 3, 1, 1)
        near = avg_pool2d(colours, 3, 1, 1) / weight.clamp_min(1e-6)
        colours = torch.where(known > 0, colours, near)
        known = (weight > 0).to(planes)
    return torch.where(known > 0, colours, planes[None])[0]


def weighted(planes: Tensor, alpha: Tensor) -> Tensor:
    """Colours for a network, which weighs all alike: what hardly shows gives way.

    A pixel keeps its colour if it is a quarter as opaque as the most opaque one near
    it; the less it is, the more it takes the mean of its neighbors, weighted by their
    opacity.

    Args:
        planes: ``[c, h, w]``, floats.
        alpha: ``[h, w]``, 0 to 1.
    """
    own, around = alpha[None, None], alpha[None, None]
    colours = planes[None] * own
    for _ in range(_REACH):
        colours = avg_pool2d(colours, 3, 1, 1)
        around = avg_pool2d(around, 3, 1, 1)
    seen = around > 1e-7
    mean = colours / torch.where(seen, around, 1)
    highest = max_pool2d(own, 2 * _REACH + 1, 1, _REACH)
    kept = (own / torch.where(highest > 0, _PART * highest, 1)).clamp(max=1)
    mixed = kept * planes[None] + (1 - kept) * mean
    return torch.where(seen, mixed, filled(planes, alpha)[None])[0]


def between_neighbors(
    out: np.ndarray, alpha: np.ndarray, scales: tuple[Fraction, Fraction], align: str
) -> np.ndarray:
    """Opacity enlarged, without values that none of the four pixels around has.

    Beyond them it would ring: a haze around what is cut out, and holes in it.

    Args:
        out: ``[height, width]``, the opacity.
        alpha: ``[h, w]``, as it was.
        scales: Output over input pixels; where one is below 1, all is left as it is.
        align: Where the grid lies.
    """
    if min(scales) < 1:
        return out
    low = high = alpha
    for axis, scale in enumerate(scales):
        before, after = _neighbors(alpha.shape[axis], out.shape[axis], scale, align)
        low = np.minimum(low.take(before, axis), low.take(after, axis))
        high = np.maximum(high.take(before, axis), high.take(after, axis))
    return out.clip(low, high)


def _neighbors(
    size: int, out_size: int, scale: Fraction, align: str
) -> tuple[np.ndarray, np.ndarray]:
    """The pixels on both sides of each output pixel, in whole numbers."""
    up, down, n = scale.numerator, scale.denominator, np.arange(out_size)
    start = {
        "center": (size - 1) * up - (out_size - 1) * down,
        "edge": down - up,
        "first": 0,
    }[align]
    twice = 2 * n * down + start  # over 2 up
    before, after = twice // (2 * up), -(-twice // (2 * up))
    return before.clip(0, size - 1), after.clip(0, size - 1)
