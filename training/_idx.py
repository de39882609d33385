"""The idx files of MNIST and Fashion-MNIST, as they are or with gzip."""

import gzip
import math
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from training.errors import DataError
from training.images import Images, ImageSets

NAMES = [
    f"{part}-{kind}-ubyte"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]
MOST_BYTES = 2**31


def find(root: Path) -> list[Path] | None:
    """Images and labels of training and test; None if there are none of them."""
    found = [_found(root, name) for name in NAMES]
    if not any(found):
        return None
    for path, name in zip(found, NAMES, strict=True):
        if path is None:
            raise DataError(
                f"{root} holds a part of the set only: {name}.gz is missing"
            )
    return [path for path in found if path]


def files(source: Path) -> Iterable[Path]:
    """The files that belong to a source."""
    return [source]


def read(sources: list[Path]) -> ImageSets:
    """Read the four files; the classes are called by their numbers."""
    parts = [
        _images(images, labels)
        for images, labels in zip(sources[::2], sources[1::2], strict=True)
    ]
    count = 1 + max(int(part.labels.max()) for part in parts)
    return ImageSets(parts[0], parts[1], tuple(map(str, range(count))))


def _found(root: Path, name: str) -> Path | None:
    paths = (root / f"{name}.gz", root / name)
    return next((path for path in paths if path.exists()), None)


def _images(images: Path, labels: Path) -> Images:
    pixels, classes = _array(images, 3), _array(labels, 1)
    if len(pixels) != len(classes):
        raise DataError(
            f"{images} has {len(pixels)} images, {labels.name} {len(classes)} labels"
        )
    return Images(
        torch.from_numpy(pixels)[:, None], torch.from_numpy(classes.astype(np.int64))
    )


def _array(path: Path, ndim: int) -> np.ndarray:
    """An array of bytes: 0, 0, 8, dimensions, sizes in big-endian, content."""
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as file:
            head = file.read(4 + 4 * ndim)
            sizes = _sizes(head, ndim, path)
            content = bytearray(file.read(math.prod(sizes) + 1))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is corrupt ({error}); fetch it again") from None
    if len(content) != math.prod(sizes):
        raise DataError(
            f"{path} should hold {' x '.join(map(str, sizes))} bytes after its header, "
            f"and holds {'more' if len(content) > math.prod(sizes) else len(content)}; "
            "fetch it again"
        )
    return np.frombuffer(content, np.uint8).reshape(sizes)


def _sizes(head: bytes, ndim: int, path: Path) -> list[int]:
    """The sizes of the dimensions."""
    if len(head) != 4 + 4 * ndim or head[:4] != bytes((0, 0, 8, ndim)):
        raise DataError(f"{path} is no idx file of bytes in {ndim} dimensions")
    sizes = np.frombuffer(head, ">u4", offset=4).tolist()
    if not 0 < math.prod(sizes) <= MOST_BYTES:
        raise DataError(f"{path} has an impossible size, {sizes}")
    return sizes
