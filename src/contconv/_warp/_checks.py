"""What `warp` refuses, and what it says."""

from typing import Any

import torch
from torch import Tensor

from contconv._scale import as_sizes
from contconv._transforms import is_transformed

_SHAPES = "[2, 3], [3, 3] or [h, w, 2], with a batch in front or without"


def as_maps(transform: Any, image: Tensor) -> Tensor:
    """The transforms ``[1 or n, ...]`` in at least float32, or an error."""
    if not isinstance(transform, Tensor) or not transform.is_floating_point():
        got = transform.dtype if isinstance(transform, Tensor) else type(transform)
        name = got.__name__ if isinstance(got, type) else got
        raise TypeError(f"transform must be a floating-point tensor, got {name}")
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
    if is_transformed():
        return  # values are not to be looked at then
    if not matrix.isfinite().all():
        raise ValueError(f"transform must be finite, got {matrix.tolist()}")
