"""Maps: where output pixels fall in the input, and how the map stretches there.

Coordinates are (y, x) in pixels, with the first pixel's centre at 0.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from contconv._grid.grid import points_of
from contconv._runtime.arguments import as_sizes, check_dense
from contconv._runtime.autograd import has_values
from contconv._runtime.shapes import Float, no_type_check

_SHAPES = "[2, 3], [3, 3] or [h, w, 2], with a batch in front or without"


def as_maps(transform: Any, image: Tensor) -> Tensor:
    """The transforms ``[1 or n, ...]`` in at least float32, or an error."""
    if not isinstance(transform, Tensor) or not transform.is_floating_point():
        got = transform.dtype if isinstance(transform, Tensor) else type(transform)
        name = got.__name__ if isinstance(got, type) else got
        raise TypeError(f"transform must be a floating-point tensor, got {name}")
    check_dense(transform, "transform")
    if transform.device != image.device:
        raise ValueError(
            f"input is on {image.device}, but transform on {transform.device}; "
            "move one with .to(device)"
        )
    shape = tuple(transform.shape)
    if is_matrix(transform):
        batched = transform.ndim == 3
        _check_finite(transform)
    elif transform.ndim in (3, 4) and shape[-1] == 2 and 0 not in shape[-3:]:
        batched = transform.ndim == 4
    else:
        raise ValueError(f"transform must be {_SHAPES}, got {shape}")
    maps = transform if batched else transform[None]
    if len(maps) not in (1, len(image)):
        raise ValueError(
            f"transform must be one for each of the {len(image)} images or one for "
            f"all, got {len(maps)}; an image can be repeated by input.expand"
        )
    return maps.to(torch.promote_types(maps.dtype, torch.float32))


def is_matrix(transform: Tensor) -> bool:
    """Whether it is an affine map or a homography, or a batch of them."""
    matrix = transform.shape[-2:]
    return transform.ndim in (2, 3) and tuple(matrix) in ((2, 3), (3, 3))


def as_size(size: Any, transform: Tensor, image: Tensor) -> tuple[int, int]:
    """Output pixels, or an error."""
    given = None if size is None else as_sizes(size, 2)
    if is_matrix(transform):
        y, x = image.shape[2:] if given is None else given
        return y, x
    y, x = transform.shape[-3:-1]
    if given not in (None, (y, x)):
        raise ValueError(
            f"size is {given}, but transform is a flow for {(y, x)} output pixels; "
            "leave out size, or resize the flow"
        )
    return y, x


def _check_finite(matrix: Tensor) -> None:
    if has_values(matrix) and not matrix.isfinite().all():
        raise ValueError(f"transform must be finite, got {matrix.tolist()}")


# Input pixels. What lies farther away, or shrinks by more, counts as at infinity.
_FAR = 2.0**30


class ProjectedPoints(NamedTuple):
    """Where the output pixels of one image fall; ``p`` runs over them row by row."""

    points: Float[Tensor, "p 2"]  # 0 where there is no such place
    exist: Tensor  # bool [p]: not at infinity, nor behind the camera
    jacobian: Float[Tensor, "p 2 2"] | None  # of input by output coordinates


def pixels_of(size: tuple[int, int], like: Tensor) -> Float[Tensor, "h w 2"]:
    """The coordinates of all pixels of an image."""
    lines = [torch.arange(n, dtype=like.dtype, device=like.device) for n in size]
    return points_of(lines)


def places_of(
    given: Tensor, size: tuple[int, int], slopes: bool = False
) -> ProjectedPoints:
    """The places that a map gives, of any kind."""
    if given.ndim == 2:
        return by_matrix(given, size, slopes)
    return by_flow(given, slopes)


def by_matrix(
    matrix: Float[Tensor, "rows 3"], size: tuple[int, int], slopes: bool
) -> ProjectedPoints:
    """The places that an affine map or a homography gives."""
    out = pixels_of(size, matrix).flatten(0, 1)
    linear, shift = matrix[:2, :2], matrix[:2, 2]
    # Not by matmul, which may round to fewer digits.
    points = out[:, :1] * linear[:, 0] + out[:, 1:] * linear[:, 1] + shift
    if len(matrix) == 2:
        exist = (points.abs() < _FAR).all(-1)
        jacobian = linear.expand(len(points), 2, 2) if slopes else None
        return ProjectedPoints(
            torch.where(exist[:, None], points, 0.0), exist, jacobian
        )
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
        return ProjectedPoints(points, exist, None)
    tilted = points[:, :, None] * matrix[2, :2]
    return ProjectedPoints(points, exist, (linear - tilted) / depth[..., None])


def by_flow(flow: Float[Tensor, "h w 2"], slopes: bool) -> ProjectedPoints:
    """The places that displacements give; NaN where none is known."""
    exist = (flow.abs() < _FAR).all(-1)
    known = torch.where(exist[..., None], flow, 0.0)
    points = known + pixels_of((flow.shape[0], flow.shape[1]), flow)
    if not slopes:
        return ProjectedPoints(points.flatten(0, 1), exist.flatten(), None)
    jacobian = torch.stack([_slope(points, exist, dim) for dim in (0, 1)], -1)
    return ProjectedPoints(
        points.flatten(0, 1), exist.flatten(), jacobian.flatten(0, 1)
    )


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
    if not fits or (has_values(angle) and not angle.isfinite().all()):
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
