"""The recipe for many pictures on two workers here, of which one dies half-way.

In a process of its own: Ray leaves threads and processes behind. The records are
written as JSON.
"""

import json
import os
import signal
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import ray

from contconv_cli.sizes import Wanted
from examples import many_pictures

ATTEMPTS = 10

WANTED = Wanted(scale=(Fraction(3, 2), Fraction(2)))


class Mortal(many_pictures.Enlarge):
    """Dies once, with half of all pictures made, between a file and its report."""

    def __init__(self, *args: Any, half: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self.half = half

    def enlarge(self, key: str, content: bytes) -> Path:
        """Make one picture, write down who did, and die if it is time."""
        made = super().enlarge(key, content)
        with (self.folder.parent / "calls.txt").open("a") as calls:
            calls.write(f"{os.getpid()} {key}\n")
        if len(list(self.folder.rglob("*.png"))) >= self.half:
            try:
                (self.folder.parent / "died").touch(exist_ok=False)
            except FileExistsError:
                return made
            os.kill(os.getpid(), signal.SIGKILL)
        return made


def start() -> None:
    """Start a cluster of three cores here.

    On a busy machine that fails: one of its processes waits for another no longer than
    half a minute, which no setting changes.
    """
    for left in reversed(range(ATTEMPTS)):
        try:
            ray.init(
                num_cpus=3, include_dashboard=False, object_store_memory=200 * 2**20
            )
            return
        except Exception:
            ray.shutdown()
            if not left:
                raise


def main(place: Path, half: int) -> None:
    """Make what is in ``place``: shards with a death, Parquet, and a folder twice."""
    start()
    made: dict[str, Any] = {}

    def records(source: str, folder: str, **options: Any) -> list[dict[str, Any]]:
        rows = many_pictures.pictures(str(place / source))
        out = place / folder
        return list(many_pictures.enlarged(rows, out, WANTED, workers=2, **options))

    options = {"batch": 2, "make": Mortal, "half": half}
    made["shards"] = records("{00..02}.tar", "shards/large", **options)
    made["parquet"] = records("all.parquet", "parquet")
    made["folder"] = records("photographs", "folder")
    victim, kept = sorted((place / "folder").rglob("*.png"))[:2]
    victim.unlink()
    before = kept.stat().st_mtime_ns
    made["again"] = records("photographs", "folder")
    made["untouched"] = kept.stat().st_mtime_ns == before
    try:
        many_pictures.enlarged(ray.data.range(1), place, WANTED, workers=3)
    except ValueError as error:
        made["refused"] = str(error)
    (place / "made.json").write_text(json.dumps(made))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
