"""Images in records: PNG files as text."""

import base64
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def as_text(image: Tensor) -> str:
    """An image, ``[1, 3, h, w]`` with values in 0..1, as a PNG file in base64."""
    pixels = (image[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def as_pixels(text: str) -> np.ndarray:
    """The image of a text, ``[h, w, 3]``, uint8."""
    with Image.open(BytesIO(base64.b64decode(text))) as image:
        return np.array(image)
