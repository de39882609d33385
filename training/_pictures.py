"""A folder for each class, on disk or in a zip archive."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image
from rich.progress import track

from training.errors import DataError
from training.images import Images, ImageSets

PARTS = ("train", "test")
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


def find(root: Path) -> list[Path] | None:
    """``train`` and ``test``, folders or zip archives; None if there is neither."""
    choices = {part: [root / part, root / f"{part}.zip"] for part in PARTS}
    found = {part: [p for p in paths if p.exists()] for part, paths in choices.items()}
    if not any(found.values()):
        return None
    for part in PARTS:
        if not found[part]:
            raise DataError(
                f"{root} holds only a part of the set: {part}.zip is missing (or a "
                f"folder {part}/ with a folder of images for each class)"
            )
    return [found[part][0] for part in PARTS]


def files(source: Path) -> Iterable[Path]:
    """The files that belong to a source."""
    return source.rglob("*") if source.is_dir() else [source]


def read(sources: list[Path]) -> ImageSets:
    """Decode all images, in the order of their classes' and their own names."""
    parts, classes = [], []
    for source in sources:
        pictures = _Folder(source) if source.is_dir() else _Zip(source)
        images, names = _decode(pictures, source)
        parts.append(images)
        classes.append(names)
    if classes[0] != classes[1]:
        odd = sorted(set(classes[0]) ^ set(classes[1]))
        raise DataError(
            f"{sources[0]} has {len(classes[0])} classes, {sources[1]} has "
            f"{len(classes[1])}; only one of them has {', '.join(odd)}"
        )
    channels = max(part.images.shape[1] for part in parts)
    train, test = (_with_channels(part, channels) for part in parts)
    return ImageSets(train, test, tuple(classes[0]))


class _Folder:
    """The images of a folder of class folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        found = (p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)
        self.names = [p.relative_to(root).as_posix() for p in found if p.is_file()]

    def bytes(self, name: str) -> bytes:
        return (self.root / name).read_bytes()


class _Zip:
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


def _decode(pictures: _Folder | _Zip, source: Path) -> tuple[Images, list[str]]:
    """All images of one part, and its classes."""
    by_class = sorted((PurePosixPath(n).parent.name, n) for n in pictures.names)
    classes = _classes(pictures.names, source)
    arrays: list[np.ndarray] = []
    for _, name in track(by_class, f"decoding {source.name}", transient=True):
        array = _array(pictures.bytes(name), f"{name} in {source}")
        if arrays and array.shape[:2] != arrays[0].shape[:2]:
            raise DataError(
                f"{name} in {source} has {_size(array)} pixels, the first image "
                f"{_size(arrays[0])}; all must be of one size"
            )
        arrays.append(array)
    labels = torch.tensor([classes.index(name) for name, _ in by_class])
    return Images(_stacked(arrays), labels), classes


def _classes(names: list[str], source: Path) -> list[str]:
    """The names of the folders that the images lie in; these lie in one folder."""
    folders = {PurePosixPath(name).parent for name in names}
    if not folders or PurePosixPath() in folders:
        raise DataError(
            f"{source} must hold a folder for each class with images in it "
            f"({', '.join(sorted(SUFFIXES))})"
        )
    above = sorted({str(folder.parent) for folder in folders})
    if len(above) > 1:
        raise DataError(
            f"{source} has folders of images at several places, such as {above[0]} and "
            f"{above[1]}; the classes' folders must lie in one"
        )
    return sorted(folder.name for folder in folders)


def _array(content: bytes, name: str) -> np.ndarray:
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


def _stacked(arrays: list[np.ndarray]) -> torch.Tensor:
    """Grey images among coloured ones get three equal channels."""
    channels = max(array.shape[2] for array in arrays)
    shape = (len(arrays), *arrays[0].shape[:2], channels)
    stack = np.empty(shape, np.uint8)
    for target, array in zip(stack, arrays, strict=True):
        target[:] = array
    return torch.from_numpy(stack).permute(0, 3, 1, 2)


def _with_channels(images: Images, channels: int) -> Images:
    return Images(images.images.expand(-1, channels, -1, -1), images.labels)


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]} x {array.shape[1]}"
