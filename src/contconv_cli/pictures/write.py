"""The content of a file for a picture."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from contconv_cli.errors import PictureError
from contconv_cli.pictures import sixteen_bits
from contconv_cli.pictures.formats import form_of
from contconv_cli.pictures.picture import Picture

_MODES = {"grey": "L", "rgb": "RGB", "cmyk": "CMYK"}
_LARGEST = {"JPEG": 65535, "WEBP": 16383}


def check_writable(picture: Picture, size: tuple[int, int], path: Path) -> None:
    """Raise PictureError if the format cannot hold the picture at this size."""
    form = form_of(path)
    if picture.alpha is not None and (form == "JPEG" or picture.kind == "cmyk"):
        raise PictureError(
            f"{path} cannot hold transparency; write PNG or WebP, or TIFF of RGB"
        )
    if picture.kind == "cmyk" and form in ("PNG", "WEBP"):
        raise PictureError(f"{path} cannot hold CMYK; write JPEG or TIFF")
    most = _LARGEST.get(form)
    if most and max(size) > most:
        raise PictureError(
            f"{path} can have at most {most} pixels a side, not {max(size)}; write PNG "
            "or TIFF"
        )


def loses_bits(picture: Picture, path: Path) -> bool:
    """Whether the format keeps 8 of 16 bits."""
    return picture.white > 255 and form_of(path) in ("JPEG", "WEBP")


def encoded(picture: Picture, path: Path, quality: int) -> bytes:
    """The content of a file for it.

    Args:
        picture: What it shows.
        path: Its suffix says in which format.
        quality: Of JPEG and WebP, 1 to 100; a WebP file of 100 loses nothing.
    """
    form = form_of(path)
    if picture.white > 255 and form == "PNG":
        return sixteen_bits.png(picture)
    if picture.white > 255 and form == "TIFF":
        return sixteen_bits.tiff(picture)
    file = BytesIO()
    _image(picture.in_8_bits()).save(file, form, **_options(picture, form, quality))
    return file.getvalue()


def _image(picture: Picture) -> Image.Image:
    mode, planes = _MODES[picture.kind], list(picture.planes)
    if picture.alpha is not None:
        mode, planes = mode + "A", [*planes, picture.alpha]
    array = planes[0] if len(planes) == 1 else np.stack(planes, 2)
    return Image.fromarray(array, mode)


def _options(picture: Picture, form: str, quality: int) -> dict[str, Any]:
    metadata = picture.metadata
    options: dict[str, Any] = {
        "JPEG": {"quality": quality, "subsampling": 0},
        "WEBP": {"quality": quality, "lossless": quality == 100},
        # Pillow compresses by libtiff, which does not write the nested parts of EXIF.
        "TIFF": {"compression": None if metadata.exif else "tiff_deflate"},
        "PNG": {},
    }[form]
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if metadata.exif:
        # Signed, as in JPEG files: Pillow takes the signature off where none belongs.
        options["exif"] = b"Exif\0\0" + metadata.exif
    if metadata.dpi and form != "WEBP":
        options["dpi"] = metadata.dpi
    return options
