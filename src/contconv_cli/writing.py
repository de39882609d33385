"""Write a picture to a file, whole or not at all."""

import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from contconv_cli import sixteen
from contconv_cli.errors import PictureError
from contconv_cli.picture import Picture

SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_MODES = {"grey": "L", "rgb": "RGB", "cmyk": "CMYK"}
_LARGEST = {"JPEG": 65535, "WEBP": 16383}


def form_of(path: Path) -> str:
    """The format that a file's name asks for.

    Raises:
        PictureError: If it is none that is written.
    """
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise PictureError(
            f"{path} has the suffix {path.suffix!r}; pictures are written as one of "
            + ", ".join(SUFFIXES)
        )
    return form


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
        return sixteen.png(picture)
    if picture.white > 255 and form == "TIFF":
        return sixteen.tiff(picture)
    file = BytesIO()
    _image(picture.in_8_bits()).save(file, form, **_options(picture, form, quality))
    return file.getvalue()


def put(content: bytes, path: Path) -> None:
    """Write a file beside its place, force it to the disk, and rename it.

    Whatever happens meanwhile, the name stands for the old file or for the new one.

    Raises:
        PictureError: If it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob_escaped(path.name)}.*.partial"):
            left.unlink()  # of a process that was killed
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise PictureError(f"{path} cannot be written: {error.strerror}") from None


def glob_escaped(name: str) -> str:
    """A name as a pattern that only it fits."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _image(picture: Picture) -> Image.Image:
    mode, planes = _MODES[picture.kind], list(picture.planes)
    if picture.alpha is not None:
        mode, planes = mode + "A", [*planes, picture.alpha]
    array = planes[0] if len(planes) == 1 else np.stack(planes, 2)
    return Image.fromarray(array, mode)


def _options(picture: Picture, form: str, quality: int) -> dict[str, Any]:
    told = picture.metadata
    options: dict[str, Any] = {
        "JPEG": {"quality": quality, "subsampling": 0},
        "WEBP": {"quality": quality, "lossless": quality == 100},
        # Pillow compresses by libtiff, which does not write the nested parts of EXIF.
        "TIFF": {"compression": None if told.exif else "tiff_deflate"},
        "PNG": {},
    }[form]
    if told.icc:
        options["icc_profile"] = told.icc
    if told.exif:
        # Signed, as in JPEG files: Pillow takes the signature off where none belongs.
        options["exif"] = b"Exif\0\0" + told.exif
    if told.dpi and form != "WEBP":
        options["dpi"] = told.dpi
    return options
