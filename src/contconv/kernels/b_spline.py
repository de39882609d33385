"""The B-splines."""

import torch
from torch import Tensor


def b_spline(distance: Tensor, degree: int) -> Tensor:
    """The centred B-spline: a polynomial for each unit of its support.

    By de Boor's recurrence for the polynomials, whose argument is the place within the
    unit. For the B-splines themselves, it would have to know exactly on which side of a
    knot each distance lies, and rounding tells one step of it otherwise than another.
    """
    shifted = distance + (degree + 1) / 2
    unit = shifted.detach().floor()
    place = shifted - unit
    pieces = [torch.ones_like(place)]
    for n in range(1, degree + 1):
        zero = torch.zeros_like(place)
        before, after = [*pieces, zero], [zero, *pieces]
        pieces = [
            ((place + i) * low + (n + 1 - i - place) * high) / n
            for i, (low, high) in enumerate(zip(before, after, strict=True))
        ]
    return sum(piece * (unit == i) for i, piece in enumerate(pieces))  # type: ignore
