"""Deblocking: what makes a JPEG smoother before it is enlarged, without a network.

What libraries have, each in several strengths: a bilateral filter and non-local means
(OpenCV), total variation (scikit-image), and the mean of JPEGs of the shifted picture
(Nosratinia, "Enhancement of JPEG-compressed images by re-application of JPEG", 2001),
which has to know the quality, as whoever has the file does.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import torch
from skimage.restoration import denoise_tv_chambolle
from torch import Tensor

from training.superres.degradations import BLOCK, jpeg

# Each second shift of the blocks, per axis: a quarter of them all.
_SHIFTS = [(y, x) for y in range(0, BLOCK, 2) for x in range(0, BLOCK, 2)]

Smooth = Callable[[np.ndarray, float], np.ndarray]


def _bilateral(pixels: np.ndarray, strength: float) -> np.ndarray:
    return cv2.bilateralFilter(pixels, 5, strength, 1.5)


def _nonlocal(pixels: np.ndarray, strength: float) -> np.ndarray:
    return cv2.fastNlMeansDenoisingColored(pixels, None, strength, strength, 5, 11)


def _variation(pixels: np.ndarray, strength: float) -> np.ndarray:
    smooth = denoise_tv_chambolle(pixels / 255, strength, channel_axis=2)
    return (255 * smooth).round().astype(np.uint8)


FILTERS: dict[str, tuple[Smooth, tuple[float, ...]]] = {
    "bilateral": (_bilateral, (8, 15, 25, 40)),
    "non-local means": (_nonlocal, (2, 4, 7)),
    "total variation": (_variation, (0.006, 0.01, 0.02, 0.04)),
}


def deblocked(image: Tensor, quality: int) -> Iterator[tuple[str, Tensor]]:
    """By each filter in each strength, and its name.

    Args:
        image: ``[1, 3, h, w]``, with values in 0..1, after JPEG of this quality.
        quality: Of libjpeg.
    """
    levels = (image[0] * 255).round().to(torch.uint8)
    pixels = levels.permute(1, 2, 0).contiguous().numpy()
    for name, (smooth, strengths) in FILTERS.items():
        for strength in strengths:
            made = torch.from_numpy(smooth(pixels, strength))
            yield f"{name} {strength:g}", made.permute(2, 0, 1)[None].float() / 255
    for less in (0, 10):
        again = [jpeg(levels, quality - less, shift=shift) for shift in _SHIFTS]
        mean = torch.stack(again).float().mean(0)
        yield f"shifted JPEGs of {quality - less}", mean[None] / 255
