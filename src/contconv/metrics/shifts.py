"""Random shifts by whole pixels."""

from typing import Any

import torch
from torch import Tensor

from contconv._grid.padding import check_padding_mode, is_source, source_index
from contconv._runtime.arguments import as_count, check_callable
from contconv._runtime.shapes import Float, Int
from contconv.metrics.checks import check_images


def check_call(
    model: Any, name: str, images: Any, max_shift: Any, padding_mode: Any
) -> int:
    """The largest shift, or the TypeError or ValueError of a metric of shifts."""
    check_callable(model, name)
    check_images(images)
    check_padding_mode(padding_mode)
    max_shift = as_count(max_shift, "max_shift")
    if max_shift >= min(images.shape[2:]):
        raise ValueError(
            "max_shift must be less than the height and the width of the images, "
            f"{tuple(images.shape[2:])}, got {max_shift}"
        )
    return max_shift


def random_shifts(
    images: Tensor, max_shift: int, generator: torch.Generator | None
) -> Int[Tensor, "n 2"]:
    """A shift (y, x) for each image, uniform in ``[-max_shift, max_shift]``."""
    # Drawn where the generator lives: one seed, the same shifts on every device.
    device = None if generator is None else generator.device
    shape = (len(images), 2)
    low, high = -max_shift, max_shift + 1
    shifts = torch.randint(low, high, shape, generator=generator, device=device)
    return shifts.to(images.device)


def shifted(
    images: Float[Tensor, "n c h w"], shifts: Int[Tensor, "n 2"], padding_mode: str
) -> Float[Tensor, "n c h w"]:
    """Each image moved down and to the right by its shift, in pixels."""
    for axis in (2, 3):
        size = images.shape[axis]
        index = torch.arange(size, device=shifts.device) - shifts[:, axis - 2, None]
        index = index[:, None, :, None] if axis == 2 else index[:, None, None]
        source = source_index(index, size, padding_mode)
        images = images.take_along_dim(source, axis)
        inside = is_source(index, size, padding_mode)
        if inside is not None:
            images = images.where(inside, 0.0)
    return images
