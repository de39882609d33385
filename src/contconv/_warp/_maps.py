"""Maps: where output pixels fall in the input, and how the map stretches there.

Coordinates are (y, x) in pixels, with the first pixel's centre at 0.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._scale import as_sizes
from contconv._transforms import is_transformed
from contconv._types import Float, no_type_check

# Input pixels. What lies farther away, or shrinks by more, counts as at infinity.
_FAR = 2.0**30


class Places(NamedTuple):
    """Where the output pixels of one image fall; ``p`` runs over them row by row."""

    points: Float[Tensor, "p 2"]  # 0 where there is no such place
    exist: Tensor  # bool [p]: not at infinity, nor behind the camera
    jacobian: Float[Tensor, "p 2 2"] | None  # of input by output coordinates


def pixels_of(size: tuple[int, int], like: Tensor) -> Float[Tensor, "h w 2"]:
    """The coordinates of all pixels of an image."""
    lines = [torch.arange(n, dtype=like.dtype, device=like.device) for n in size]
    return torch.stack(torch.meshgrid(*lines, indexing="ij"), -1)


def by_matrix(
    matrix: Float[Tensor, "rows 3"], size: tuple[int, int], slopes: bool
) -> Places:
    """The places that an affine map or a homography gives."""
    out = pixels_of(size, matrix).flatten(0, 1)
    linear, shift = matrix[:2, :2], matrix[:2, 2]
    # Not by matmul, which may round to fewer digits.
    points = out[:, :1] * linear[:, 0] + out[:, 1:] * linear[:, 1] + shift
    if len(matrix) == 2:
        exist = (points.abs() < _FAR).all(-1)
        jacobian = linear.expand(len(points), 2, 2) if slopes else None
        return Places(torch.where(exist[:, None], points, 0.0), exist, jacobian)
    depth = out[:, 0] * matrix[2, 0] + out[:, 1] * matrix[2, 1] + matrix[2, 2]
    with torch.no_grad():
        found = points / depth[:, None]
        steep = linear.abs().max() + found.abs() * matrix[2, :2].abs().max()
        exist = (found.abs() < _FAR) & (steep / depth[:, None] < _FAR)
        exist = (depth > 0) & exist.all(-1)
    # Chosen before the division, or its gradient would be NaN.
    depth = torch.where(exist, depth, 1.0)[:, None]
    points = torch.where(exist[:, None], points, 0.0) / depth
    if not slopes:
        return Places(points, exist, None)
    tilted = points[:, :, None] * matrix[2, :2]
    return Places(points, exist, (linear - tilted) / depth[..., None])


def by_flow(flow: Float[Tensor, "h w 2"], slopes: bool) -> Places:
    """The places that displacements give; NaN where none is known."""
    exist = (flow.abs() < _FAR).all(-1)
    known = torch.where(exist[..., None], flow, 0.0)
    points = known + pixels_of((flow.shape[0], flow.shape[1]), flow)
    if not slopes:
        return Places(points.flatten(0, 1), exist.flatten(), None)
    jacobian = torch.stack([_slope(points, exist, dim) for dim in (0, 1)], -1)
    return Places(points.flatten(0, 1), exist.flatten(), jacobian.flatten(0, 1))


def _slope(
    points: Float[Tensor, "h w 2"], exist: Tensor, dim: int
) -> Float[Tensor, "h w 2"]:
    """The mean of the differences to both neighbors, as far as they are known."""
    last = points.shape[dim] - 1
    both = exist.narrow(dim, 1, last) & exist.narrow(dim, 0, last)
    steps = torch.where(both[..., None], points.diff(dim=dim), 0.0)
    none = torch.zeros_like(points.narrow(dim, 0, 1))
    total = torch.cat([steps, none], dim) + torch.cat([none, steps], dim)
    one, off = both.to(points), none[..., 0]
    count = (torch.cat([one, off], dim) + torch.cat([off, one], dim))[..., None]
    unit = torch.eye(2, dtype=points.dtype, device=points.device)[dim]
    return torch.where(count > 0, total / count.clamp(min=1), unit)


@no_type_check
def rotation(
    degrees: float | Tensor, size: int | Sequence[int]
) -> Float[Tensor, "*n 2 3"]:
    """The matrix with which `warp` turns an image about its centre.

    It turns counterclockwise, as `torch.rot90` does, and is exact for quarter turns.

    Args:
        degrees: The angle. A tensor, of one angle or one for each image, may need a
            gradient.
        size: Pixels of the image, for both axes or for each.

    Returns:
        ``[2, 3]``, or ``[n, 2, 3]`` for ``n`` angles; in float64 unless the angle is a
        tensor of another dtype.

    Example:
        >>> image = torch.rand(1, 3, 5, 5)
        >>> turned = warp(image, "cubic", rotation(90, 5))
        >>> torch.allclose(turned, image.rot90(1, (2, 3)))
        True
    """
    height, width = as_sizes(size, 2)
    given = degrees if isinstance(degrees, Tensor) else float(degrees)
    dtype = given.dtype if isinstance(given, Tensor) else torch.float64
    angle = torch.as_tensor(given, dtype=dtype)
    fits = angle.is_floating_point() and angle.ndim <= 1
    if not fits or not (is_transformed() or angle.isfinite().all()):
        raise ValueError(
            "degrees must be a finite angle, or a floating-point tensor with one for "
            f"each image, got {degrees}"
        )
    # The cosine of a quarter turn is not 0 in floating point.
    quarters = (angle.detach() / 90).round()
    rest = (angle - 90 * quarters) * (math.pi / 180)
    c, s = rest.cos(), rest.sin()
    odd, back = quarters % 2 == 1, quarters % 4 >= 2
    sign = 1 - 2 * back.to(dtype)
    cos, sin = sign * torch.where(odd, -s, c), sign * torch.where(odd, c, s)
    y, x = (height - 1) / 2, (width - 1) / 2
    rows = [cos, sin, y - cos * y - sin * x, -sin, cos, x + sin * y - cos * x]
    return torch.stack(rows, -1).unflatten(-1, (2, 3))
