"""The binary version of CIFAR-10, as its authors publish it."""

import tarfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch

from training.errors import DataError
from training.images import Images, ImageSets

ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
TRAIN = [f"data_batch_{i}.bin" for i in range(1, 6)]
TEST, NAMES = "test_batch.bin", "batches.meta.txt"
CLASSES, SIDE = 10, 32
RECORD = 1 + 3 * SIDE * SIDE
# The original files have 10,000 records.
MOST_BYTES = 20_000 * RECORD


def find(root: Path) -> list[Path] | None:
    """The folder or archive that holds the six files; None if there is neither."""
    if root.is_file() and root.name.endswith((".tar.gz", ".tgz", ".tar")):
        return [root]
    for folder in (root, root / FOLDER):
        if any((folder / name).exists() for name in [*TRAIN, TEST]):
            return [folder]
    return [root / ARCHIVE] if (root / ARCHIVE).exists() else None


def files(source: Path) -> Iterable[Path]:
    """The files that belong to a source."""
    if source.is_file():
        return [source]
    return [source / name for name in [*TRAIN, TEST, NAMES]]


def read(sources: list[Path]) -> ImageSets:
    """Read five training files and one of tests."""
    (source,) = sources
    contents = _unpacked(source) if source.is_file() else _loaded(source)
    for name in [*TRAIN, TEST, NAMES]:
        if name not in contents:
            raise DataError(
                f"{source} holds only a part of CIFAR-10: {name} is missing"
            )
    parts = {name: _records(contents[name], name, source) for name in [*TRAIN, TEST]}
    lengths = {name: len(part) for name, part in parts.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{source}: the files differ in length, in images: {lengths}")
    train = np.concatenate([parts[name] for name in TRAIN])
    return ImageSets(
        _images(train), _images(parts[TEST]), _classes(contents[NAMES], source)
    )


def _loaded(folder: Path) -> dict[str, bytes]:
    paths = [folder / name for name in [*TRAIN, TEST, NAMES]]
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def _unpacked(path: Path) -> dict[str, bytes]:
    """The six files in an archive, by name; nothing is unpacked on the disk."""
    try:
        with tarfile.open(path) as archive:
            return _members(archive, lambda name: name in [*TRAIN, TEST, NAMES], path)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} is no tar archive, or only a part of one ({error}); fetch it again"
        ) from None


def _members(
    archive: tarfile.TarFile, wanted: Callable[[str], bool], path: Path
) -> dict[str, bytes]:
    contents = {}
    for member in archive:
        name = Path(member.name).name
        if not (member.isfile() and wanted(name)):
            continue
        if member.size > MOST_BYTES:
            raise DataError(f"{name} in {path} is longer than {MOST_BYTES} bytes")
        file = archive.extractfile(member)
        assert file is not None
        contents[name] = file.read()
    return contents


def _records(content: bytes, name: str, source: Path) -> np.ndarray:
    """``[images, 3073]``: a label, then red, green and blue, row by row."""
    if not content or len(content) % RECORD:
        raise DataError(
            f"{name} in {source} has {len(content)} bytes, no multiple of {RECORD}: it "
            "is truncated, or another format; fetch it again"
        )
    return np.frombuffer(content, np.uint8).reshape(-1, RECORD)


def _images(records: np.ndarray) -> Images:
    planes = records[:, 1:].reshape(-1, 3, SIDE, SIDE)
    rows = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    labels = torch.from_numpy(records[:, 0].astype(np.int64))
    return Images(torch.from_numpy(rows).permute(0, 3, 1, 2), labels)


def _classes(content: bytes, source: Path) -> tuple[str, ...]:
    names = tuple(content.decode("utf-8", "replace").split())
    if len(names) != CLASSES:
        raise DataError(f"{NAMES} in {source} has {len(names)} classes, not {CLASSES}")
    return names
