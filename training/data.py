"""Image sets for classification, from the layouts that people have; never pickle."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from training import _cache, _cifar, _idx, _pictures
from training._known import KNOWN, Known
from training.errors import DataError
from training.images import Images as Images
from training.images import ImageSets as ImageSets
from training.images import checked
from training.images import padded as padded

REPOSITORY = Path(__file__).parents[1]
CACHE = REPOSITORY / "out" / "data"
LAYOUTS = """\
  train.zip and test.zip, or folders train/ and test/: a folder of images per class;
  data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt, or the
  cifar-10-binary.tar.gz that holds them;
  train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, and the same for t10k"""


class _Layout(Protocol):
    """A module that knows one layout of files."""

    def find(self, root: Path) -> list[Path] | None: ...
    def files(self, source: Path) -> Iterable[Path]: ...
    def read(self, sources: list[Path]) -> ImageSets: ...


READERS: tuple[_Layout, ...] = (_pictures, _cifar, _idx)


def load_images(
    source: str | Path, *, root: Path | None = None, cache: Path | None = CACHE
) -> ImageSets:
    """A training set and a test set of images.

    Args:
        source: ``"cifar10"``, ``"fashion-mnist"``, or the path of any set: a folder
            in one of the layouts that the error for an empty folder lists, or a tar
            archive of CIFAR-10's binary version.
        root: The folder that holds a named set, or a folder of that name. Unless
            given: the environment variable ``CONTCONV_DATA``, ``../shared/data``
            beside the repository, then the system's own place.
        cache: The folder that keeps decoded sets; None decodes anew.

    Returns:
        Images of one size, uint8, ``[n, channels, height, width]``, sorted by class
        and name where each is a file, else in the order of the files.

    Raises:
        DataError: If the set is missing, partial or corrupt, or its numbers of images
            and classes are not those of the set of this name.
    """
    known = KNOWN.get(str(source))
    folders = _places(str(source), known, root) if known else [Path(source)]
    layout, sources = _found(folders, str(source), known)
    sets = _read(layout, sources, cache)
    place = str(sources[0].parent)
    return checked(known.confirmed(sets, place) if known else sets, place)


def _places(name: str, known: Known, root: Path | None) -> list[Path]:
    """Where a named set may lie, the first choice first."""
    own = [folder for base in bases(root) for folder in (base / name, base)]
    return own if root is not None else [*own, *map(Path, known.places)]


def bases(root: Path | None) -> list[Path]:
    """The folders that may hold named sets."""
    if root is not None:
        return [root]
    if os.environ.get("CONTCONV_DATA"):
        return [Path(os.environ["CONTCONV_DATA"])]
    return [REPOSITORY.parent / "shared" / "data"]


def _found(
    folders: list[Path], name: str, known: Known | None
) -> tuple[_Layout, list[Path]]:
    """The layout of the first folder that holds a set, and its files there."""
    for folder in folders:
        for layout in READERS:
            sources = layout.find(folder)
            if sources:
                return layout, sources
    if known:
        places = " or ".join(map(str, folders))
        raise DataError(
            f"no {name} in {places}: {known.fetch}, and put it there, or say where it "
            "lies by --root or the environment variable CONTCONV_DATA"
        )
    what = "holds no set of images" if Path(name).exists() else "does not exist"
    raise DataError(
        f"{name} {what}; it should hold\n{LAYOUTS}\nor be one of {', '.join(KNOWN)}"
    )


def _read(layout: _Layout, sources: list[Path], cache: Path | None) -> ImageSets:
    """The decoded set, from the cache where it has been decoded before."""
    if cache is None:
        return layout.read(sources)
    files = [file for source in sources for file in layout.files(source)]
    path = cache / f"{_cache.key(files)}.safetensors"
    sets = _cache.load(path)
    if sets is None:
        sets = layout.read(sources)
        _cache.save(path, sets)
    return sets
