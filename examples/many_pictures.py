"""Enlarge pictures that no folder holds, on the machines of a Ray cluster.

    pip install '.[cli,ray]'
    python examples/many_pictures.py photographs/ large/ --scale 2.7
    python examples/many_pictures.py 's3://shards/{000..099}.tar' large/ --scale 2
    python examples/many_pictures.py pictures.parquet large/ --scale 2 --column image

The input is a folder of pictures, the shards of a WebDataset, or Parquet files with a
column of encoded pictures. The output is a folder that all workers see, with a PNG file
for each. Every worker loads the weights once. Where a worker or its machine dies, its
pictures are made again by another; a file is there whole or not at all, and under the
name of its picture alone, so none is lost or there twice. A second call makes what is
missing. A picture that cannot be read is told of at the end, and stops no other.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray.data import ActorPoolStrategy, Dataset

from contconv_cli.enlarge import enlarger
from contconv_cli.errors import PictureError
from contconv_cli.jobs import Share
from contconv_cli.output import put
from contconv_cli.pictures.formats import SUFFIXES
from contconv_cli.pictures.read import read, size_of
from contconv_cli.pictures.write import check_writable, encoded
from contconv_cli.sizes import Wanted

Batch = dict[str, np.ndarray]


class Enlarge:
    """The function of one worker, from batches of pictures to a record of them.

    Args:
        folder: Where the pictures go.
        wanted: What they are to measure.
        max_pixels: Larger pictures are refused before they are decoded.
        threads: For each worker; as many workers as cores are faster with one.
    """

    def __init__(
        self,
        folder: Path,
        wanted: Wanted,
        max_pixels: int = 200_000_000,
        threads: int = 1,
    ) -> None:
        torch.set_num_threads(threads)
        self.folder, self.wanted, self.max_pixels = folder, wanted, max_pixels
        self.make = enlarger(
            "auto", None, precision="auto", tile=768, members=1, share=Share()
        )

    def __call__(self, batch: Batch) -> Batch:
        """``key`` and ``bytes`` of some pictures to ``key``, ``file`` and ``error``."""
        pairs = list(zip(batch["key"].tolist(), batch["bytes"].tolist(), strict=True))
        files, errors = [], []
        for key, content in pairs:
            try:
                files.append(str(self.enlarge(key, content)))
                errors.append("")
            except (PictureError, OSError, ValueError) as error:
                files.append("")
                errors.append(str(error))
        keys = [key for key, _ in pairs]
        made = {"key": keys, "file": files, "error": errors}
        return {name: np.array(one, dtype=object) for name, one in made.items()}

    def enlarge(self, key: str, content: bytes) -> Path:
        """Make one picture, unless it is there; the name of its file."""
        target = self.target(key)
        frames = read(content, key, self.max_pixels)
        frames = frames if frames.timing else frames.without_previews()
        self.wanted.check(frames.first.size, self.max_pixels, growing=True)
        size = self.wanted.of(frames.first.size)
        if target.exists():
            if size_of(target) != size:
                raise PictureError(f"{target} is there already, in another size")
            return target
        check_writable(frames, size, "PNG", str(target))
        out = frames.map(lambda one: self.make(one, self.wanted, lambda: None))
        put(encoded(out, "PNG", 95), target)
        return target

    def target(self, key: str) -> Path:
        """The file of a picture: its whole name, so that no two have one file."""
        target = self.folder / f"{key}.png"
        if not target.resolve().is_relative_to(self.folder.resolve()):
            raise PictureError(f"the key {key!r} names a file outside {self.folder}")
        return target


def pictures(source: str, column: str = "image") -> Dataset:
    """Rows of ``key`` and ``bytes`` from a folder, a WebDataset, or Parquet files.

    Args:
        source: A folder, or the names of shards: ``.tar`` or ``.parquet``, with
            ``{000..099}`` for a range of numbers.
        column: Of Parquet files, the one with encoded pictures; ``key`` beside it names
            them.
    """
    paths = expanded(source)
    if source.endswith(".tar"):
        rows = ray.data.read_webdataset(paths, decoder=None)  # encoded, as they are
        return rows.flat_map(_of_sample)
    if source.endswith(".parquet"):
        rows = ray.data.read_parquet(paths, columns=["key", column])
        return rows.rename_columns({column: "bytes"}) if column != "bytes" else rows
    if "://" not in source and not Path(source).is_dir():
        raise SystemExit(
            f"{source} is no folder, and ends in neither .tar nor .parquet"
        )
    rows = ray.data.read_binary_files(
        source, include_paths=True, file_extensions=[one[1:] for one in SUFFIXES]
    )
    return rows.map(partial(_of_file, folder=source))


def _of_sample(sample: dict[str, Any]) -> list[dict[str, Any]]:
    """The pictures of a sample of a WebDataset; there may be other things in it."""
    key = sample["__key__"]
    return [
        {"key": f"{key}.{end}", "bytes": one}
        for end, one in sample.items()
        # Samples that lack what others have, have something else there.
        if f".{end.lower()}" in SUFFIXES and isinstance(one, bytes)
    ]


def _of_file(row: dict[str, Any], folder: str) -> dict[str, Any]:
    path, root = row["path"], folder.split("://", 1)[-1]
    if "://" not in folder:
        path, root = str(Path(path).resolve()), str(Path(root).resolve())
    return {"key": path.removeprefix(root).lstrip("/"), "bytes": row["bytes"]}


def expanded(source: str) -> list[str]:
    """The names that a range of numbers in braces stands for.

    Example:
        >>> expanded("a-{08..10}.tar")
        ['a-08.tar', 'a-09.tar', 'a-10.tar']
    """
    before, brace, rest = source.partition("{")
    if not brace:
        return [source]
    numbers, _, after = rest.partition("}")
    first, _, last = numbers.partition("..")
    count = range(int(first), int(last) + 1)
    return [f"{before}{i:0{len(first)}d}{after}" for i in count]


def enlarged(
    rows: Dataset,
    folder: Path,
    wanted: Wanted,
    *,
    workers: int,
    batch: int = 4,
    make: Callable[..., Any] = Enlarge,
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """Make all pictures; a record of each, as they are done.

    A worker that dies is started again, and what it had not reported is done again, as
    often as it takes: Ray Data does that by itself. An error that `Enlarge` does not
    report stops all.

    Args:
        rows: ``key`` and ``bytes``.
        folder: Where the pictures go.
        wanted: What they are to measure.
        workers: How many processes.
        batch: Pictures that `Enlarge` is given at once.
        make: The class of the function.
        options: More arguments of it.

    Raises:
        ValueError: If the workers would take all cores, and leave none to read with.
    """
    cores = int(ray.cluster_resources().get("CPU", 0))
    if workers >= cores:
        raise ValueError(
            f"workers must be fewer than the {cores} cores of the cluster, which are "
            f"also read with, got {workers}"
        )
    done = rows.map_batches(
        make,
        fn_constructor_args=(folder.resolve(), wanted),
        fn_constructor_kwargs=options,
        batch_size=batch,
        compute=ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    return iter(done.iter_rows())


def main(arguments: list[str] | None = None) -> int:
    """Run as the command line says; the number of pictures that could not be made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", help="a folder, shards .tar or .parquet")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--scale", type=Fraction, required=True, help="such as 2.7")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--column", default="image", help="of Parquet files")
    given = parser.parse_args(arguments)
    wanted = Wanted(scale=(given.scale, given.scale))
    if not ray.is_initialized():
        ray.init()
    failed = made = 0
    rows = pictures(given.source, given.column)
    for row in enlarged(rows, given.folder, wanted, workers=given.workers):
        if row["error"]:
            failed += 1
            print(f"{row['key']!r}: {row['error']}", file=sys.stderr)
        else:
            made += 1
    print(f"{made} pictures in {given.folder}, {failed} could not be made")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
