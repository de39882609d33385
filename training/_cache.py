"""Decoded sets, kept in a file: decoding 60,000 JPEGs takes 20 seconds."""

import hashlib
import itertools
from collections.abc import Iterable
from pathlib import Path

from contconv._files import hashed_safetensors
from training.images import Images, ImageSets


def key(files: Iterable[Path]) -> str:
    """A digest of where the files lie, of their sizes, and of when they changed."""
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.exists():
            status = path.stat()
            known = (str(path.resolve()), status.st_size, status.st_mtime_ns)
            digest.update(repr(known).encode())
    return digest.hexdigest()


def load(path: Path) -> ImageSets | None:
    """The sets in a file; None if there is none, or it is damaged or another's."""
    try:
        tensors, notes = hashed_safetensors.read(path)
    except (OSError, hashed_safetensors.DamagedError):
        return None
    parts = itertools.product(("train", "test"), ("images", "labels"))
    if tensors.keys() != set(map(".".join, parts)) or "classes" not in notes:
        return None
    train, test = (
        Images(tensors[f"{part}.images"].permute(0, 3, 1, 2), tensors[f"{part}.labels"])
        for part in ("train", "test")
    )
    return ImageSets(train, test, tuple(notes["classes"]))


def save(path: Path, sets: ImageSets) -> None:
    """Write the sets, whole or not at all."""
    tensors = {}
    for name, part in (("train", sets.train), ("test", sets.test)):
        tensors[f"{name}.images"] = part.images.permute(0, 2, 3, 1)
        tensors[f"{name}.labels"] = part.labels
    hashed_safetensors.write(path, tensors, {"classes": sets.classes})
