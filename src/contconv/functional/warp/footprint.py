"""Footprints: how far a kernel is stretched where a map shrinks."""

from typing import NamedTuple

import torch
from torch import Tensor

from contconv._runtime.autograd import clamped
from contconv._runtime.shapes import Float


class Footprints(NamedTuple):
    """The stretched kernels ``K(inverse d) density`` of some output pixels."""

    inverse: Float[Tensor, "p 2 2"]  # symmetric
    density: Float[Tensor, " p"]  # the determinant of the inverse
    reach: Float[Tensor, "p 2"]  # half the width of the support, along each input axis


def footprints(
    jacobian: Float[Tensor, "p 2 2"],
    support: tuple[int, ...],
    longest: float,
    slack: float,
) -> Footprints:
    r"""The stretch :math:`S = \sqrt{\max(J J^T, 1)}`, eigenvalue by eigenvalue.

    The map takes the unit circle around an output pixel to an ellipse, whose half axes
    are those of :math:`\sqrt{J J^T}`. Along the ones that are longer than a pixel the
    kernel is stretched to their length, along the others it stays as it is. So a
    rotation leaves it alone, and a scale per axis stretches each axis as `resize` does.

    No half axis is stretched beyond ``longest``: towards a horizon they have no bound.
    The reach is longer than that of the kernel by ``slack`` of itself.
    """
    if jacobian.stride(0) == 0:  # of an affine map: alike everywhere
        one = _footprints(jacobian[:1], support, longest, slack)
        count = len(jacobian)
        return Footprints(*(each.expand(count, *each.shape[1:]) for each in one))
    return _footprints(jacobian, support, longest, slack)


def _footprints(
    jacobian: Float[Tensor, "p 2 2"],
    support: tuple[int, ...],
    longest: float,
    slack: float,
) -> Footprints:
    rows = jacobian[:, 0], jacobian[:, 1]
    a, c = (row.square().sum(-1) for row in rows)
    b = (rows[0] * rows[1]).sum(-1)
    mean, lean = (a + c) / 2, (a - c) / 2
    square = lean.square() + b.square()
    # The gradient of the root is none at 0, where the eigenvalues are equal; that of
    # all that follows is 0 there.
    radius = torch.where(square > 0, square, 1.0).sqrt() * (square > 0)
    long, short = mean + radius, mean - radius
    most, least = (clamped(value, 1, longest**2) for value in (long, short))
    gap = torch.where(radius > 0, 2 * radius, 1.0)
    whole = (short >= 1) & (long <= longest**2)
    part = torch.where(whole, 1.0, (most - least) / gap)
    total = most.sqrt() + least.sqrt()
    # S = f(M) for symmetric 2x2 M, with no difference of roots that would cancel.
    middle, share = total / 2, part / total
    yy, xx, yx = middle + share * lean, middle - share * lean, share * b
    density = (most * least).rsqrt()
    inverse = torch.stack([xx, -yx, -yx, yy], -1) * density[:, None]
    with torch.no_grad():
        half = torch.stack([yy, yx.abs(), yx.abs(), xx], -1).unflatten(-1, (2, 2))
        reach = (half * half.new_tensor(support)).sum(-1) / 2 * (1 + slack)
    return Footprints(inverse.unflatten(-1, (2, 2)), density, reach)
