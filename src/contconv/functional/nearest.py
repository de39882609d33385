"""The nearest pixel: labels and masks resized, with no value that was not there."""

from collections.abc import Sequence

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.padding import is_source, source_index
from contconv._runtime.shapes import Shaped

# Of these, torch has hardly more than the storage: their bits are moved.
_SIGNED = {
    torch.uint16: torch.int16,
    torch.uint32: torch.int32,
    torch.uint64: torch.int64,
}


def nearest_pixels(
    image: Shaped[Tensor, "n c *in_shape"],
    axes: Sequence[Axis],
    padding_modes: Sequence[str],
) -> Shaped[Tensor, "n c *out_shape"]:
    """For each output pixel the nearest input pixel, of two the later one."""
    dtype = image.dtype
    image = image.view(_SIGNED[dtype]) if dtype in _SIGNED else image
    for i, (axis, mode) in enumerate(zip(axes, padding_modes, strict=True)):
        image = along_axis(image, 2 + i, axis, mode)
    return image.view(dtype) if dtype in _SIGNED else image


def along_axis(
    image: Shaped[Tensor, "*in_shape"], dim: int, axis: Axis, padding_mode: str
) -> Shaped[Tensor, "*out_shape"]:
    """The nearest pixels along one axis of an image."""
    pixel = axis.nearest_pixel(torch.arange(axis.out_size, device=image.device))
    near = image.index_select(dim, source_index(pixel, axis.in_size, padding_mode))
    inside = is_source(pixel, axis.in_size, padding_mode)
    if inside is None:
        return near
    shape = [1] * image.ndim
    shape[dim] = -1
    return near.masked_fill(~inside.view(shape), 0)
