"""A folder for each class, on disk or in a zip archive."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from rich.progress import track

from training._files import SUFFIXES, Folder, Zip, decoded
from training.errors import DataError
from training.images import Images, ImageSets

PARTS = ("train", "test")


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
        pictures = Folder(source) if source.is_dir() else Zip(source)
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


def _decode(pictures: Folder | Zip, source: Path) -> tuple[Images, list[str]]:
    """All images of one part, and its classes."""
    by_class = sorted((PurePosixPath(n).parent.name, n) for n in pictures.names)
    classes = _classes(pictures.names, source)
    arrays: list[np.ndarray] = []
    for _, name in track(by_class, f"decoding {source.name}", transient=True):
        array = decoded(pictures.bytes(name), f"{name} in {source}")
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
