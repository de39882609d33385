"""A picture resized by a classical kernel."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from contconv import resize
from contconv_cli.pictures.alpha import filled
from contconv_cli.pictures.picture import Picture
from contconv_cli.sizes import Wanted


@dataclass(frozen=True)
class Resizer:
    """A kernel, and how it is applied.

    Attributes:
        kernel: Its name.
        antialias: Whether it is stretched where a picture shrinks.
    """

    kernel: str
    antialias: bool

    def steps(self, picture: Picture, wanted: Wanted) -> int:
        """How often `__call__` tells of progress."""
        return 1

    def __call__(
        self, picture: Picture, wanted: Wanted, advance: Callable[[], None]
    ) -> Picture:
        """The picture, resized; in 8 bits as MATLAB's ``imresize`` does it."""
        planes, alpha = torch.from_numpy(_signed(picture.planes)), None
        if picture.alpha is not None:
            opacity = torch.from_numpy(_signed(picture.alpha))
            colours = filled(planes.double(), opacity)
            planes = (colours + 0.5).floor().to(planes.dtype)
            alpha = self._resized(opacity[None], wanted, picture)[0]
        planes = self._resized(planes, wanted, picture)
        advance()
        return replace(picture, planes=planes, alpha=alpha)

    def _resized(self, planes: Tensor, wanted: Wanted, like: Picture) -> np.ndarray:
        if planes.dtype != torch.uint8:
            planes = planes.double()
        out = resize(
            planes[None],
            scale=wanted.scale,
            size=wanted.size,
            kernel=self.kernel,
            antialias=self.antialias,
        )[0]
        if out.dtype != torch.uint8:
            out = (out + 0.5).floor().clamp(0, like.white)
        return out.numpy().astype(like.planes.dtype)


def _signed(planes: np.ndarray) -> np.ndarray:
    """As torch computes with it: it has few operations for uint16."""
    return planes if planes.dtype == np.uint8 else planes.astype(np.int32)
