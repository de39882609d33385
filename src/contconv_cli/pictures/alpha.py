"""Colours below full transparency: what nobody sees, and resizing would show."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

# How far colours are continued; further than any network here looks.
ROUNDS = 24


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
    for _ in range(ROUNDS):
        weight = avg_pool2d(known, 3, 1, 1)
        near = avg_pool2d(colours, 3, 1, 1) / weight.clamp_min(1e-6)
        colours = torch.where(known > 0, colours, near)
        known = (weight > 0).to(planes)
    return torch.where(known > 0, colours, planes[None])[0]
