"""Pixels of 16 bits, of which Pillow keeps 8: in PNG and TIFF files."""

from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from contconv_cli.errors import PictureError
from contconv_cli.pictures.picture import Kind

_KINDS: dict[int, Kind] = {1: "grey", 3: "rgb", 4: "cmyk"}

Planes = tuple[np.ndarray, Kind, np.ndarray | None]


def read_planes(name: str, form: str | None, content: bytes, page: int) -> Planes:
    """The planes of a picture of 16 bits, their kind, and alpha."""
    if form == "PNG":
        array = np.asarray(imagecodecs.png_decode(content))
        array = array[..., None] if array.ndim == 2 else array
        return _split(array.transpose(2, 0, 1), array.shape[2] in (2, 4))
    return _read_tiff(name, content, page)


def _read_tiff(name: str, content: bytes, place: int) -> Planes:
    with tifffile.TiffFile(BytesIO(content)) as file:
        page: Any = file.pages[place]
        photometric, axes = page.photometric.name, page.axes
        array, more = page.asarray(), [extra.name for extra in page.extrasamples]
    alpha = more[:1] in (["ASSOCALPHA"], ["UNASSALPHA"])
    premultiplied = more[:1] == ["ASSOCALPHA"]
    if array.dtype != np.uint16 or any("ALPHA" in name for name in more[1:]):
        raise PictureError(
            f"{name} has {array.dtype} pixels in {axes}; save it with 8 or 16 bits as "
            "grey, RGB or CMYK"
        )
    if photometric not in ("MINISBLACK", "MINISWHITE", "RGB", "SEPARATED"):
        raise PictureError(
            f"{name} has colours of the kind {photometric}; save it as grey or RGB"
        )
    array = array[..., None] if array.ndim == 2 else array
    planes = array if axes == "SYX" else array.transpose(2, 0, 1)
    planes = planes[: len(planes) - len(more) + alpha]
    if photometric == "MINISWHITE":
        planes = np.concatenate([65535 - planes[:1], planes[1:]])
    if premultiplied:
        planes = np.concatenate([_divided(planes[:-1], planes[-1]), planes[-1:]])
    return _split(planes, alpha)


def _divided(planes: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours that were multiplied by opacity, as they were before."""
    opacity = np.maximum(alpha, 1).astype(np.uint64)
    whole = (planes.astype(np.uint64) * 65535 + opacity // 2) // opacity
    return np.minimum(whole, 65535).astype(np.uint16)


def _split(planes: np.ndarray, with_alpha: bool) -> Planes:
    planes = np.ascontiguousarray(planes)
    alpha = planes[-1] if with_alpha else None
    planes = planes[:-1] if with_alpha else planes
    return planes, _KINDS[len(planes)], alpha
