"""`resize` against `F.interpolate`: the cases, and the two contenders.

Both filter with the same kernels, stretched where an image shrinks, in floating point.
Images of 8 bits are not compared: `resize` rounds as MATLAB does there, `F.interpolate`
as Pillow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.contender import Contender
from contconv import resize

# Ours and theirs.
MODES = {"cubic": "bicubic", "linear": "bilinear"}


@dataclass(frozen=True)
class Photo:
    """Images to resize."""

    batch: int
    channels: int
    height: int
    width: int
    scale: float
    kernel: str = "cubic"
    backward: bool = False

    @property
    def name(self) -> str:
        """What the case is called in records and tables."""
        passes = "forward + backward" if self.backward else "forward"
        size = f"{self.height} x {self.width} px"
        return (
            f"{self.batch} x {self.channels}, {size}, {self.scale}, {self.kernel}, "
            f"{passes}"
        )

    @property
    def out_size(self) -> tuple[int, int]:
        """Pixels of the output."""
        return ceil(self.height * self.scale), ceil(self.width * self.scale)


PHOTOS = [
    Photo(1, 3, 1024, 1536, 0.5),
    Photo(1, 3, 1024, 1536, 0.25),
    Photo(1, 3, 1024, 1536, 0.7391),
    Photo(1, 3, 2048, 3072, 0.0731),
    Photo(1, 3, 512, 768, 1.3177),
    Photo(1, 3, 512, 768, 2),
    Photo(1, 3, 256, 384, 4),
    Photo(16, 3, 256, 256, 0.875),
    Photo(128, 3, 32, 32, 0.7391),
    Photo(128, 3, 32, 32, 2),
    Photo(16, 64, 64, 64, 0.5),
    Photo(1, 1, 64, 64, 0.5),
    Photo(16, 3, 256, 256, 0.4142, backward=True),
    Photo(1, 3, 1024, 1536, 0.5, "linear"),
    Photo(1, 3, 512, 768, 2, "linear"),
]
QUICK = [PHOTOS[0], PHOTOS[5]]


def contenders(photo: Photo) -> dict[str, Callable[[], Contender]]:
    """What makes the two; `F.interpolate` is the unit."""
    names = ("F.interpolate", "resize")
    return {name: partial(make, photo, name) for name in names}


def make(photo: Photo, name: str) -> Contender:
    """The contender of that name."""
    torch.manual_seed(0)
    image = torch.rand(photo.batch, photo.channels, photo.height, photo.width)
    apply = _resized if name == "resize" else _interpolated
    return Contender(partial(apply, photo), image, backward=photo.backward)


def _resized(photo: Photo, x: Tensor) -> Tensor:
    return resize(x, size=photo.out_size, kernel=photo.kernel)


def _interpolated(photo: Photo, x: Tensor) -> Tensor:
    mode = MODES[photo.kernel]
    return F.interpolate(x, size=photo.out_size, mode=mode, antialias=True)
