"""Read pictures from the content of a file."""

import struct
import warnings
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from contconv_cli.errors import PictureError
from contconv_cli.pictures import exif, gif, jpeg, png, sixteen_bits, tiff
from contconv_cli.pictures.formats import FORMATS, check_available
from contconv_cli.pictures.jpeg_end import completed
from contconv_cli.pictures.picture import (
    Frames,
    Kind,
    Metadata,
    Picture,
    Timing,
    alike,
)
from contconv_cli.pictures.unread import unread

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

# Pillow's own, without the plugin for HEIF.
_FORMATS = tuple(form for form in FORMATS if form != "HEIF")

# Of an ISO media file: what it is, or what it is compatible with.
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def read(content: bytes, name: str, max_pixels: int) -> Frames:
    """The pictures in a file, upright.

    Args:
        content: Of the file.
        name: Of the file, for messages.
        max_pixels: More, in all its frames together, are refused before they are
            decoded.

    Raises:
        PictureError: If it is empty, damaged, too large, or of another kind.
    """
    if not content:
        raise PictureError(f"{name} is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of odd tags
            return _decoded(content, name, max_pixels)
    except UnidentifiedImageError:
        raise PictureError(f"{name} is {unread(content)}") from None
    except _BROKEN as error:
        raise PictureError(f"{name} is damaged or truncated ({error})") from None


def _decoded(content: bytes, name: str, max_pixels: int) -> Frames:
    content, pages = _split(content)
    with _opened(content, name) as image:
        png.scale_transparency(image, content)
        tiff_places = [place for place, _ in pages]
        places = tiff_places if image.format == "TIFF" else _places(image)
        _check_pixels(image, len(places), name, max_pixels)
        known = [m for _, m in pages] or [_metadata(image, content)]
        quality = jpeg.quality(getattr(image, "quantization", None))
        pictures, durations = [], []
        for i, place in enumerate(places):
            picture = _page(image, content, name, place, max_pixels)
            max_pixels -= picture.size[0] * picture.size[1]
            metadata = replace(known[min(i, len(known) - 1)], jpeg_quality=quality)
            pictures.append(replace(picture, metadata=metadata).upright())
            durations.append(float(image.info.get("duration") or 0))
        timing = None
        if image.format != "TIFF" and len(pictures) > 1:
            pictures, timing = alike(pictures), _timing(image, durations)
        form = str(image.format)
    return Frames(tuple(pictures), form, timing, _more_bits(image, content))


def _opened(content: bytes, name: str) -> Image.Image:
    form = _media_form(content)
    if form:
        check_available(form, name)
    formats = ("HEIF",) if form == "HEIF" else _FORMATS
    return Image.open(BytesIO(content), formats=formats)


def _media_form(content: bytes) -> str | None:
    """AVIF or HEIF, if the file is one of them."""
    if content[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(content[:4], "big"), 256)
    brands = {content[8:12], *(content[i : i + 4] for i in range(16, end, 4))}
    if brands & set(_AVIF_BRANDS):
        return "AVIF"
    return "HEIF" if brands & set(_HEIF_BRANDS) else None


def _split(content: bytes) -> tuple[bytes, list[tuple[int, Metadata]]]:
    """The file as decoders are shown it, and what else its pages tell.

    What stands beside the pixels, and may be damaged, is read here alone.
    """
    if content.startswith(png.SIGNATURE):
        pixels, chunks = png.split(content)
        return pixels, [(0, _turning(png.metadata(chunks)))]
    if content.startswith(b"\xff\xd8"):
        pixels, segments = jpeg.split(content)
        return pixels, [(0, _turning(jpeg.metadata(pixels, segments)))]
    if content[:4] in tiff.STARTS:
        return tiff.split(content)
    return content, []


def _turning(known: Metadata) -> Metadata:
    return replace(known, turned_by=exif.orientation(known.exif, known.xmp))


def _places(image: Image.Image) -> list[int]:
    """The frames that are read."""
    if image.format == "HEIF":
        return [image.tell()]  # the others are not shown either
    return list(range(getattr(image, "n_frames", 1)))


def _check_pixels(image: Image.Image, count: int, name: str, max_pixels: int) -> None:
    if image.width * image.height * count > max_pixels:
        frames = f"{count} frames of " if count > 1 else ""
        raise PictureError(
            f"{name} has {frames}{image.width} x {image.height} pixels, more than the "
            f"{max_pixels} of --max-pixels"
        )


def _metadata(image: Image.Image, content: bytes) -> Metadata:
    """Of formats whose metadata Pillow leaves as they are."""
    info: dict[Any, Any] = image.info
    data, lost, turned_by = info.get("exif") or None, [], None
    if image.format == "AVIF":
        data, turned_by = _of_avif(image)
    if image.format == "HEIF":
        turned_by = 1  # pillow-heif has turned it
        others = getattr(image, "n_frames", 1) - 1
        lost += [f"more images in it ({others})"] if others else []
        lost += ["the depth of the scene"] if info.get("depth_images") else []
    primaries = _primaries(content)
    comment = info.get("comment")
    comment = comment.encode() if isinstance(comment, str) else comment
    xmp = info.get("xmp")
    known = Metadata(
        icc=info.get("icc_profile") or None,
        exif=data.removeprefix(b"Exif\0\0") if data else None,
        dpi=info.get("dpi"),
        xmp=xmp.encode() if isinstance(xmp, str) else xmp or None,
        comments=(comment,) if comment else (),
        chunks=((b"cICP", primaries),)
        if primaries and not info.get("icc_profile")
        else (),
        lost=tuple(lost),
    )
    return replace(_turning(known), **({"turned_by": turned_by} if turned_by else {}))


def _primaries(content: bytes) -> bytes | None:
    """What the colours of an AVIF or HEIC file mean, if not what they do elsewhere.

    As a chunk of PNG files says it; sRGB, and what is displayed as sRGB, is nothing.
    """
    place = content.find(b"colrnclx") + 8
    if content[4:8] != b"ftyp" or place < 8 or len(content) < place + 7:
        return None
    primaries, transfer = struct.unpack_from(">HH", content, place)
    if primaries in (1, 2, 5, 6) and transfer in (1, 2, 6, 13):
        return None
    return bytes([primaries & 255, transfer & 255, 0, content[place + 6] >> 7])


def _of_avif(image: Image.Image) -> tuple[bytes | None, int | None]:
    """EXIF as it stands in the file, and the orientation that rules.

    Pillow writes EXIF anew where the two differ.
    """
    decoder = getattr(image, "_decoder", None)
    if decoder is None:
        return image.info.get("exif"), None
    *_, data, orientation, _ = decoder.get_info()
    return data or None, orientation


def _page(
    image: Image.Image, content: bytes, name: str, place: int, max_pixels: int
) -> Picture:
    image.seek(place)
    _check_pixels(image, 1, name, max_pixels)
    still = getattr(image, "n_frames", 1) == 1
    if image.format == "PNG" and content[24] == 16 and still:
        return Picture(*sixteen_bits.read_planes(name, "PNG", content, 0))
    if image.format == "TIFF" and (words := tiff.unsuitable(content, place)):
        raise PictureError(f"{name} {words}")
    if image.format == "TIFF" and tiff.is_sixteen_bits(content, place):
        return Picture(*sixteen_bits.read_planes(name, "TIFF", content, place))
    try:
        return Picture(*_planes(name, image))
    except OSError:
        whole = completed(content) if image.format == "JPEG" else None
        if whole is None:
            raise
        with Image.open(BytesIO(whole), formats=("JPEG",)) as again:
            return Picture(*_planes(name, again))


def _planes(
    name: str, image: Image.Image
) -> tuple[np.ndarray, Kind, np.ndarray | None]:
    """The planes of a picture of 8 bits or less, their kind, and alpha."""
    image.load()
    mode = _mode(name, image)
    array = np.array(image if image.mode == mode else image.convert(mode))
    planes = np.ascontiguousarray(np.atleast_3d(array).transpose(2, 0, 1))
    alpha = None
    if mode in ("LA", "RGBA"):
        planes, alpha, mode = planes[:-1], planes[-1], mode[:-1]
    return planes, _KINDS[mode], alpha


def _mode(name: str, image: Image.Image) -> str:
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
            f"{name} has pixels of mode {image.mode}; save it with 8 or 16 bits as "
            "grey, RGB or CMYK"
        )
    return mode


def _timing(image: Image.Image, durations: list[float]) -> Timing:
    loop = image.info.get("loop")
    if image.format == "GIF":
        loop = gif.plays(loop)
    return Timing(tuple(durations), loop or 0, bool(image.info.get("default_image")))


def _more_bits(image: Image.Image, content: bytes) -> int | None:
    """How many bits a colour has, where 8 of them were read."""
    if image.format == "HEIF":
        bits = int(image.info.get("bit_depth") or 8)
        return bits if bits > 8 else None
    if image.format == "PNG" and content[24] == 16:
        return 16 if getattr(image, "n_frames", 1) > 1 else None
    place = content.find(b"av1C") if image.format == "AVIF" else -1
    if place >= 0 and len(content) > place + 6 and content[place + 6] & 0x40:
        return 12 if content[place + 6] & 0x20 else 10
    return None


def size_of(path: Path) -> tuple[int, int] | None:
    """Height and width of the first picture in a file, upright; None if it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content, pages = _split(path.read_bytes())
            with _opened(content, str(path)) as image:
                place, known = pages[0] if pages else (0, _metadata(image, content))
                if image.format == "TIFF":
                    image.seek(place)
                width, height = image.size
    except (PictureError, *_BROKEN):
        return None
    return (width, height) if known.turned_by > 4 else (height, width)
