"""Image files in a folder or a zip archive, and their pixels."""

import io
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from training.errors import DataError

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".webp"}
FORMATS = ("BMP", "JPEG", "PNG", "WEBP")
MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}
MOST_BYTES, MOST_PIXELS = 2**26, 2**24
# What zipfile, zlib and Pillow raise over damaged content.
BROKEN = (
    EOFError,
    IndexError,
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class Folder:
    """The images of a folder of class folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        found = (p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)
        self.names = [p.relative_to(root).as_posix() for p in found if p.is_file()]

    def bytes(self, name: str) -> bytes:
        return (self.root / name).read_bytes()


class Zip:
    """The images of an archive of class folders; nothing is unpacked on the disk."""

    def __init__(self, path: Path) -> None:
        try:
            self.archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise DataError(
                f"{path} is no zip archive, or only a part of one ({error}); fetch it "
                "again"
            ) from None
        self.names = [
            entry.filename
            for entry in self.archive.infolist()
            if PurePosixPath(entry.filename).suffix.lower() in SUFFIXES
            and not (entry.is_dir() or entry.filename.startswith("__MACOSX/"))
        ]

    def bytes(self, name: str) -> bytes:
        if self.archive.getinfo(name).file_size > MOST_BYTES:
            raise DataError(f"{name} in {self.archive.filename} is larger than 64 MiB")
        try:
            return self.archive.read(name)
        except (*BROKEN, zipfile.BadZipFile, RuntimeError) as error:
            raise DataError(
                f"{name} in {self.archive.filename} is corrupt ({error}); fetch the "
                "archive again"
            ) from None


def decoded(content: bytes, name: str) -> np.ndarray:
    """The pixels of one image, ``[height, width, 1 or 3]``, uint8."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.mode not in MODES:
                raise DataError(
                    f"{name} has pixels of mode {image.mode}; save it as RGB or grey"
                )
            if image.width * image.height > MOST_PIXELS:
                raise DataError(f"{name} has more than {MOST_PIXELS} pixels")
            array = np.asarray(image.convert(MODES[image.mode]))
    except BROKEN as error:
        raise DataError(f"{name} is corrupt, or no image: {error}") from None
    return array if array.ndim == 3 else array[..., None]
