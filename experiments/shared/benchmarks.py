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

# What the experiments measure: as the literature does, between, beyond, and unequal.
SCALES: tuple[Scales, ...] = (
    (1.3, 1.3),
    (1.7, 1.7),
    (2, 2),
    (2.5, 2.5),
    (3, 3),
    (3.3, 3.3),
    (4, 4),
    (6, 6),
    (8, 8),
    (2, 3.5),
)

# The folder of each set, and the pictures of it that are left out. The woman of Set5 is
# one of BSDS500's training photographs, 302003, at 0.7 of its size: what learned from
# those has seen her, so that means over the usual five are partly those of training.
SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Set5": ("Set5", ()),
    "Set5 unseen": ("Set5", ("005",)),
    "B100": ("B100", ()),
}


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
        name: ``"Set5"``, ``"Set5 unseen"`` or ``"B100"``.
        scales: Vertical, horizontal.
        pictures: How many; all unless given.

    Raises:
        DataError: If the set is not there.
    """
    for path in _files(name)[:pictures]:
        yield _pair(path, scales)


def numbered(name: str, number: int, scales: Scales) -> Pair:
    """One picture of a set, by its number from 0; else as `pairs`."""
    return _pair(_files(name)[number], scales)


def _pair(path: Path, scales: Scales) -> Pair:
    large, ratios = _picture(path), [Fraction(str(scale)) for scale in scales]
    if scales[0] == scales[1] and scales[0] in GIVEN:
        small = _picture(path.parents[1] / f"lr_x{int(scales[0])}" / path.name)
        less = small.shape[2:]
    else:
        sides = zip(large.shape[2:], ratios, strict=True)
        small, less = None, [int(side / ratio) for side, ratio in sides]
    height, width = (round(side * r) for side, r in zip(less, ratios, strict=True))
    large = large[:, :, :height, :width]
    small = resize(large, size=less) if small is None else small
    return Pair(small.float() / 255, large.float() / 255)


@torch.no_grad()
def measured(
    enlarge: Enlarge, name: str, scales: Scales, *, pictures: int | None = None
) -> dict[str, float]:
    """Mean PSNR and SSIM of a set, of Y, in 8 bits, as many pixels shaved as the scale.

    Args:
        enlarge: Takes images and a size.
        name: The set, as for `pairs`.
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
    folder, left_out = SETS[name]
    places = [base / "benchmarks" / folder for base in bases(None)]
    for place in places:
        files = sorted((place / "hr").glob("*.png"))
        if files:
            return [file for file in files if file.stem not in left_out]
    raise DataError(
        f"no {folder} in {' or '.join(map(str, places))}: fetch it with its bicubic "
        "low resolution, and put it there as hr/NNN.png and lr_x2, lr_x3, lr_x4, or "
        "say where by CONTCONV_DATA"
    )


def _picture(path: Path) -> Tensor:
    if not path.exists():
        raise DataError(f"{path} is missing; {path.parent.name} has to be complete")
    with Image.open(path, formats=("PNG",)) as image:
        array = np.array(image.convert("RGB"))
    return torch.from_numpy(array).permute(2, 0, 1)[None]
