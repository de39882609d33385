"""Read a picture from a file."""

import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from contconv_cli.errors import PictureError
from contconv_cli.pictures.exif import exif_and_orientation
from contconv_cli.pictures.picture import Kind, Metadata, Picture, swaps_sides
from contconv_cli.pictures.sixteen_bits import is_sixteen_bits, read_planes

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")

# Our own limit takes its place, which can be set.
Image.MAX_IMAGE_PIXELS = None

# What Pillow and the libraries below raise over damaged content.
_BROKEN = (
    EOFError,
    IndexError,
    KeyError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

_KINDS: dict[str, Kind] = {"L": "grey", "RGB": "rgb", "CMYK": "cmyk"}
_PLAIN = {"1": "L", "P": "RGB", "YCbCr": "RGB", "RGBX": "RGB"}
_WITH_ALPHA = {"LA": "LA", "La": "LA", "L": "LA", "1": "LA", "RGB": "RGBA"}


def read(path: Path, max_pixels: int) -> Picture:
    """The picture in a file, upright.

    Args:
        path: A PNG, JPEG, WebP or TIFF file.
        max_pixels: More are refused, before they are decoded.

    Raises:
        PictureError: If it is missing, empty, damaged, too large, or of another kind.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path} cannot be read: {error.strerror}") from None
    if not content:
        raise PictureError(f"{path} is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of odd EXIF data
            return _decoded(path, content, max_pixels)
    except UnidentifiedImageError:
        raise PictureError(
            f"{path} is no picture that can be read: PNG, JPEG, WebP or TIFF"
        ) from None
    except _BROKEN as error:
        raise PictureError(f"{path} is damaged or truncated ({error})") from None


def _decoded(path: Path, content: bytes, max_pixels: int) -> Picture:
    with Image.open(BytesIO(content), formats=FORMATS) as image:
        pixels = image.width * image.height
        if pixels > max_pixels:
            raise PictureError(
                f"{path} has {image.width} x {image.height} pixels, more than the "
                f"{max_pixels} of --max-pixels"
            )
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            raise PictureError(
                f"{path} has {frames} pages or frames; take them apart first"
            )
        exif, orientation = exif_and_orientation(image)
        icc, dpi = image.info.get("icc_profile"), _dpi(image, orientation)
        metadata = Metadata(icc or None, exif, dpi)
        if is_sixteen_bits(image, content):
            planes, kind, alpha = read_planes(path, image.format, content)
        else:
            planes, kind, alpha = _planes(path, image)
            if image.format == "TIFF":
                orientation = 1  # Pillow has turned it
    return Picture(planes, kind, alpha, metadata).upright(orientation)


def _planes(
    path: Path, image: Image.Image
) -> tuple[np.ndarray, Kind, np.ndarray | None]:
    """The planes of a picture of 8 bits or less, their kind, and alpha."""
    mode = _mode(path, image)
    array = np.array(image if image.mode == mode else image.convert(mode))
    planes = np.ascontiguousarray(np.atleast_3d(array).transpose(2, 0, 1))
    alpha = None
    if mode in ("LA", "RGBA"):
        planes, alpha, mode = planes[:-1], planes[-1], mode[:-1]
    return planes, _KINDS[mode], alpha


def _mode(path: Path, image: Image.Image) -> str:
    """The mode of Pillow to decode it in."""
    if image.mode in ("RGBA", "RGBa", "PA") or (
        image.mode == "P" and "transparency" in image.info
    ):
        return "RGBA"
    if image.mode in ("LA", "La") or "transparency" in image.info:
        return _WITH_ALPHA.get(image.mode, image.mode)
    mode = _PLAIN.get(image.mode, image.mode)
    if mode not in _KINDS:
        raise PictureError(
            f"{path} has pixels of mode {image.mode}; save it with 8 or 16 bits as "
            "grey, RGB or CMYK"
        )
    return mode


def _dpi(image: Image.Image, orientation: int) -> tuple[float, float] | None:
    """Pixels per inch, across and down, of what comes upright."""
    dpi = image.info.get("dpi")
    try:
        across, down = (float(value) for value in dpi or ())
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not across > 0 < down:
        return None
    return (down, across) if swaps_sides(orientation) else (across, down)
