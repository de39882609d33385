"""What happens to pictures on their way: resizing, blur, noise, JPEG."""

import io
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from contconv import resize
from contconv.kernels import GaussianKernel

BLOCK = 8  # of JPEG, in pixels
KERNELS = ("linear", "cubic", "lanczos3")
SUBSAMPLED = {"4:4:4": 0, "4:2:0": 2}


@dataclass(frozen=True)
class Degradation:
    """What is done to pictures, one thing after the other.

    Attributes:
        resized: How likely a picture is made larger, by up to a half, and as small
            again, by linear, cubic or Lanczos resizing.
        blurred: How likely it is blurred, by a Gaussian.
        deviation: The widest Gaussian's standard deviation, in pixels.
        noisy: How likely it gets noise.
        noise: The strongest noise's standard deviation, in grey levels.
        compressed: How likely it is a JPEG, half of them with colours at half the
            resolution.
        quality: The lowest and the highest quality of JPEG.
    """

    resized: float = 0.3
    blurred: float = 0.3
    deviation: float = 0.8
    noisy: float = 0.3
    noise: float = 6.0
    compressed: float = 0.85
    quality: tuple[int, int] = (30, 95)

    def apply(self, image: Tensor, draw: torch.Generator) -> Tensor:
        """A picture as it may come, ``[3, height, width]``, uint8.

        Args:
            image: As it was, ``[3, height, width]``, uint8.
            draw: Decides what is done, and how much.
        """
        chances = torch.rand(4, generator=draw).tolist()
        amounts = torch.rand(4, generator=draw).tolist()
        if chances[0] < self.resized:
            which = int(torch.randint(len(KERNELS), (), generator=draw))
            image = _resized(image, 1 + amounts[0] / 2, KERNELS[which])
        if chances[1] < self.blurred:
            image = _blurred(image, max(0.1, self.deviation * amounts[1]))
        if chances[2] < self.noisy:
            noise = torch.randn(image.shape, generator=draw)
            image = _levels(image + self.noise * amounts[2] * noise)
        if chances[3] < self.compressed:
            low, high = self.quality
            shift = torch.randint(BLOCK, (2,), generator=draw).tolist()
            names = list(SUBSAMPLED)
            sampling = names[int(torch.randint(2, (), generator=draw))]
            quality = round(low + amounts[3] * (high - low))
            image = jpeg(image, quality, sampling, shift=(shift[0], shift[1]))
        return image


def jpeg(
    image: Tensor,
    quality: int,
    sampling: str = "4:2:0",
    *,
    shift: tuple[int, int] = (0, 0),
) -> Tensor:
    """A picture after JPEG, ``[3, height, width]``, uint8.

    Args:
        image: As it was.
        quality: Of libjpeg, 1 to 100.
        sampling: ``"4:2:0"``, colours at half the resolution, or ``"4:4:4"``.
        shift: How many pixels of the first block lie before the picture, per axis.
    """
    top, left = shift
    padded = F.pad(image[None].float(), (left, 0, top, 0), mode="replicate")[0]
    pixels = padded.to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    file = io.BytesIO()
    options = {"quality": quality, "subsampling": SUBSAMPLED[sampling]}
    Image.fromarray(pixels).save(file, "JPEG", **options)
    with Image.open(file) as decoded:
        array = np.asarray(decoded.convert("RGB")).copy()
    return torch.from_numpy(array).permute(2, 0, 1)[:, top:, left:].contiguous()


def _resized(image: Tensor, by: float, kernel: str) -> Tensor:
    """Larger and back, in 8 bits each time."""
    size = [round(side * by) for side in image.shape[1:]]
    larger = resize(image[None], size=size, kernel=kernel)
    return resize(larger, size=list(image.shape[1:]), kernel=kernel)[0]


def _blurred(image: Tensor, deviation: float) -> Tensor:
    """Seven pixels wide; `resize` makes the weights sum to one."""
    kernel = GaussianKernel(deviation**2, (7, 7))
    return _levels(resize(image[None].float(), scale=1, kernel=kernel)[0])


def _levels(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)
