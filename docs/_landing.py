"""The picture of the first page: one network, one small picture, several sizes."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage.data import chelsea

from contconv.models.superres import load

# Height and width of each, and where it stands on the canvas; the small one itself
# comes first.
PLACES = [((112, 164), (0, 0)), ((325, 164), (0, 123)), ((149, 373), (175, 0))]
PLACES += [((288, 373), (175, 160)), ((448, 689), (559, 0))]
CANVAS = (1248, 448)


def write_landing(folder: Path) -> None:
    """Enlarge the picture to all sizes, and put them side by side."""
    small = torch.tensor(chelsea()[56:168, 88:252].copy()).permute(2, 0, 1)
    network = load().requires_grad_(False)
    canvas = Image.new("RGBA", CANVAS)
    for size, place in PLACES:
        pixels = small
        if size != tuple(small.shape[1:]):
            out = 255 * network(small[None] / 255, size=size)[0]
            pixels = out.round().clamp(0, 255).to(torch.uint8)
        picture = Image.fromarray(np.asarray(pixels.permute(1, 2, 0)))
        canvas.paste(picture, place)
    canvas.save(folder / "landing.webp", quality=88)
