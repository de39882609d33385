"""Picture: the pixels of an image file, and what else of it is kept."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

Kind = Literal["grey", "rgb", "cmyk"]

# How EXIF's orientations come upright: the axes of [..., height, width] swapped first,
# then those flipped.
_UPRIGHT: dict[int, tuple[bool, tuple[int, ...]]] = {
    2: (False, (-1,)),
    3: (False, (-2, -1)),
    4: (False, (-2,)),
    5: (True, ()),
    6: (True, (-1,)),
    7: (True, (-2, -1)),
    8: (True, (-2,)),
}


@dataclass(frozen=True)
class Metadata:
    """What a file tells about its pixels.

    Attributes:
        icc: The colour profile.
        exif: As it stands in files, without the signature of JPEG.
        dpi: Pixels per inch, across and down.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None


@dataclass(frozen=True)
class Picture:
    """Pixels and metadata.

    Attributes:
        planes: ``[c, h, w]``, uint8 or uint16: one of grey, three of red, green and
            blue, or four of cyan, magenta, yellow and black.
        kind: Which of them.
        alpha: ``[h, w]`` of the same dtype: opacity.
        metadata: What is kept.
    """

    planes: np.ndarray
    kind: Kind
    alpha: np.ndarray | None = None
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.planes.shape[1], self.planes.shape[2]

    @property
    def white(self) -> int:
        """The largest value that a pixel can have."""
        return int(np.iinfo(self.planes.dtype).max)

    def upright(self, orientation: int) -> "Picture":
        """Turned and flipped as EXIF's orientation asks for."""
        if orientation not in _UPRIGHT:
            return self
        alpha = None if self.alpha is None else _turned(self.alpha, orientation)
        return replace(self, planes=_turned(self.planes, orientation), alpha=alpha)

    def in_8_bits(self) -> "Picture":
        """With 255 as white."""
        if self.planes.dtype == np.uint8:
            return self
        alpha = None if self.alpha is None else _eight(self.alpha)
        return replace(self, planes=_eight(self.planes), alpha=alpha)


def swaps_sides(orientation: int) -> bool:
    """Whether EXIF's orientation lays a picture on its side."""
    return _UPRIGHT.get(orientation, (False, ()))[0]


def _turned(planes: np.ndarray, orientation: int) -> np.ndarray:
    swapped, flipped = _UPRIGHT[orientation]
    planes = planes.swapaxes(-1, -2) if swapped else planes
    return np.ascontiguousarray(np.flip(planes, flipped) if flipped else planes)


def _eight(planes: np.ndarray) -> np.ndarray:
    return ((planes.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
