"""Two views of the same images, one of them shifted: a protocol for each way."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from contconv._runtime.shapes import Float, Int
from contconv.metrics.checks import check_images
from contconv.metrics.fractional import as_shifts, fractional_shift
from contconv.metrics.shifts import shifted

PROTOCOLS = ("circular", "fractional", "crop", "paper")


class Views(NamedTuple):
    """The images twice."""

    still: Float[Tensor, "n c h w"]
    moved: Float[Tensor, "n c h w"]
    shift: Float[Tensor, "n 2"]  # pixels, downwards and to the right


def views_of(images: Any, shift: Any, protocol: Any) -> Views:
    """The views, or the error of an argument."""
    check_images(images)
    if protocol not in PROTOCOLS:
        known = ", ".join(map(repr, PROTOCOLS))
        raise ValueError(f"protocol must be one of {known}, got {protocol!r}")
    vectors = as_shifts(shift, images).expand(len(images), 2)
    if protocol == "fractional":
        return Views(images, fractional_shift(images, vectors), vectors)
    whole = vectors.round().long()
    if not torch.equal(whole.double(), vectors):
        raise ValueError(
            f"shift must be of whole pixels for {protocol!r}; parts of pixels are for "
            "'fractional'"
        )
    most, size = int(whole.abs().max()), min(images.shape[2:])
    if most >= size:
        raise ValueError(
            "shift must be less than the height and the width of the images, "
            f"{tuple(images.shape[2:])}, got {most}"
        )
    if protocol == "crop":
        return Views(*_crops(images, whole), vectors)
    mode = "circular" if protocol == "circular" else "zeros"
    return Views(images, shifted(images, whole, mode), vectors)


def _crops(
    images: Float[Tensor, "n c h w"], shift: Int[Tensor, "n 2"]
) -> tuple[Float[Tensor, "n c _ _"], Float[Tensor, "n c _ _"]]:
    """Two cut-outs of each image, as small as the largest shift asks for."""
    crops = [images, images]
    for axis in (2, 3):
        way = shift[:, axis - 2]
        most = int(way.abs().max())
        line = torch.arange(images.shape[axis] - most, device=images.device)
        # What is in view moves down as the view moves up.
        first = (most + way).div(2, rounding_mode="floor")
        for i, start in enumerate((first, first - way)):
            index = (line + start[:, None])[:, None]
            index = index[..., None] if axis == 2 else index[..., None, :]
            crops[i] = crops[i].take_along_dim(index, axis)
    return crops[0], crops[1]
