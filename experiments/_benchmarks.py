"""Set5 and B100: pictures made small, and how well they are enlarged."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from contconv import resize
from contconv.metrics import psnr, ssim
from training.data import bases
from training.errors import DataError

Scales = tuple[float, float]
Enlarge = Callable[[Tensor, tuple[int, int]], Tensor]

GIVEN = (2, 3, 4)


@dataclass(frozen=True)
class Pair:
    """A small picture and the large one: ``[1, 3, h, w]``, values in 0..1."""

    small: Tensor
    large: Tensor


def pairs(name: str, scales: Scales, *, pictures: int | None = None) -> Iterator[Pair]:
    """The pictures of a set, or the first few.

    At 2, 3 and 4 the small ones are those that come with the set (MATLAB's ``imresize``
    in 8 bits); at other scales `contconv.resize` makes them, which is bit for bit the
    same.

    Args:
        name: ``"Set5"`` or ``"B100"``.
        scales: Vertical, horizontal.
        pictures: How many; all unless given.

    Raises:
        DataError: If the set is not there.
    """
    for path in _files(name)[:pictures]:
        large, ratios = _picture(path), [Fraction(str(scale)) for scale in scales]
        if scales[0] == scales[1] and scales[0] in GIVEN:
            lower = path.parents[1] / f"lr_x{int(scales[0])}" / path.name
            small = _picture(lower)
            size = [int(p * r) for p, r in zip(small.shape[2:], ratios, strict=True)]
            large = large[:, :, : size[0], : size[1]]
        else:
            sides = zip(large.shape[2:], ratios, strict=True)
            less = [int(side / ratio) for side, ratio in sides]
            size = [round(side * r) for side, r in zip(less, ratios, strict=True)]
            large = large[:, :, : size[0], : size[1]]
            small = resize(large, size=less)
        yield Pair(small.float() / 255, large.float() / 255)


@torch.no_grad()
def measured(
    enlarge: Enlarge, name: str, scales: Scales, *, pictures: int | None = None
) -> dict[str, float]:
    """Mean PSNR and SSIM of a set, of Y, in 8 bits, as many pixels shaved as the scale.

    Args:
        enlarge: Takes images and a size.
        name: The set.
        scales: Vertical, horizontal.
        pictures: How many; all unless given.
    """
    found: list[tuple[float, float]] = []
    shave = math.ceil(max(scales))
    for pair in pairs(name, scales, pictures=pictures):
        height, width = pair.large.shape[2:]
        made = enlarge(pair.small, (height, width)).clamp(0, 1)
        made = (made * 255).round() / 255
        how = {"shave": shave, "luma": True}
        found.append(
            (psnr(made, pair.large, **how).item(), ssim(made, pair.large, **how).item())
        )
    return {
        "psnr": sum(one[0] for one in found) / len(found),
        "ssim": sum(one[1] for one in found) / len(found),
    }


def _files(name: str) -> list[Path]:
    for base in bases(None):
        files = sorted((base / "benchmarks" / name / "hr").glob("*.png"))
        if files:
            return files
    places = " or ".join(str(base / "benchmarks" / name) for base in bases(None))
    raise DataError(
        f"no {name} in {places}: fetch it with its bicubic low resolution, and put it "
        "there as hr/NNN.png and lr_x2, lr_x3, lr_x4, or say where by CONTCONV_DATA"
    )


def _picture(path: Path) -> Tensor:
    with Image.open(path, formats=("PNG",)) as image:
        array = np.array(image.convert("RGB"))
    return torch.from_numpy(array).permute(2, 0, 1)[None]
