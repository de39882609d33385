"""Picture: pixels, and what else of a file is kept; Frames: one or several of them."""

from collections.abc import Callable
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
        xmp: A packet of XMP.
        more_xmp: What did not fit in the packet of a JPEG file, in its segments.
        photoshop: Photoshop's blocks, with IPTC in one of them.
        comments: Of JPEG and GIF files.
        chunks: Of PNG files: colours, texts, and what may be copied.
        turned_by: The orientation that EXIF had, by which the pixels were turned.
        lost: What no format here holds, in words.
        jpeg_quality: Of a JPEG file: `jpeg.quality`.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    xmp: bytes | None = None
    more_xmp: tuple[bytes, ...] = ()
    photoshop: bytes | None = None
    comments: tuple[bytes, ...] = ()
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    turned_by: int = 1
    lost: tuple[str, ...] = ()
    jpeg_quality: int | None = None


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

    @property
    def is_opaque(self) -> bool:
        """Whether nothing shows through it."""
        return self.alpha is None or bool((self.alpha == self.white).all())

    def upright(self) -> "Picture":
        """Turned and flipped as the orientation asks for."""
        turned_by, dpi = self.metadata.turned_by, self.metadata.dpi
        if turned_by not in _UPRIGHT:
            return self
        if dpi and _UPRIGHT[turned_by][0]:
            dpi = (dpi[1], dpi[0])
        alpha = None if self.alpha is None else _turned(self.alpha, turned_by)
        planes = _turned(self.planes, turned_by)
        metadata = replace(self.metadata, dpi=dpi)
        return replace(self, planes=planes, alpha=alpha, metadata=metadata)

    def in_8_bits(self) -> "Picture":
        """With 255 as white."""
        if self.planes.dtype == np.uint8:
            return self
        alpha = None if self.alpha is None else _eight(self.alpha)
        return replace(self, planes=_eight(self.planes), alpha=alpha)


@dataclass(frozen=True)
class Timing:
    """How an animation runs.

    Attributes:
        durations: Of each frame, in milliseconds.
        plays: How often; 0 for ever.
        still_first: Whether the first frame is shown only where nothing can move.
    """

    durations: tuple[float, ...]
    plays: int
    still_first: bool = False


@dataclass(frozen=True)
class Frames:
    """What a file shows: a picture, the frames of an animation, or pages.

    Attributes:
        pictures: In their order.
        form: The format of the file.
        timing: Of an animation.
        bits: How many of each colour the file has, where fewer were read.
    """

    pictures: tuple[Picture, ...]
    form: str
    timing: Timing | None = None
    bits: int | None = None

    @property
    def first(self) -> Picture:
        """The picture, or the first of them."""
        return self.pictures[0]

    def without_previews(self) -> "Frames":
        """The first page alone, if the others are the same in small by their shape."""
        height, width = self.first.size
        for h, w in [picture.size for picture in self.pictures[1:]]:
            if max(2 * h / height, 2 * w / width) > 1 or abs(
                w * height - h * width
            ) > max(height, width):
                return self
        return replace(self, pictures=self.pictures[:1])

    def moving(self) -> "Frames":
        """The same without a first frame that is none of the animation."""
        assert self.timing
        timing = Timing(self.timing.durations[1:], self.timing.plays)
        return replace(self, pictures=self.pictures[1:], timing=timing)

    def map(self, change: Callable[[Picture], Picture]) -> "Frames":
        """The same with each picture changed."""
        return replace(self, pictures=tuple(map(change, self.pictures)))


def alike(pictures: list[Picture]) -> list[Picture]:
    """Frames of one animation, all with colours and all with alpha if one is so."""
    coloured = any(picture.kind == "rgb" for picture in pictures)
    clear = any(picture.alpha is not None for picture in pictures)
    return [_as(picture, coloured, clear) for picture in pictures]


def _as(picture: Picture, coloured: bool, clear: bool) -> Picture:
    planes, kind, alpha = picture.planes, picture.kind, picture.alpha
    if coloured and kind == "grey":
        planes, kind = np.repeat(planes, 3, 0), "rgb"
    if clear and alpha is None:
        alpha = np.full(planes.shape[1:], picture.white, planes.dtype)
    return replace(picture, planes=planes, kind=kind, alpha=alpha)


def _turned(planes: np.ndarray, orientation: int) -> np.ndarray:
    swapped, flipped = _UPRIGHT[orientation]
    planes = planes.swapaxes(-1, -2) if swapped else planes
    return np.ascontiguousarray(np.flip(planes, flipped) if flipped else planes)


def _eight(planes: np.ndarray) -> np.ndarray:
    return ((planes.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
