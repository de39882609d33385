"""Make all pictures, one after the other, and tell how it went."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from contconv_cli import output
from contconv_cli.errors import PictureError
from contconv_cli.jobs import Job, Share
from contconv_cli.pictures import write
from contconv_cli.pictures.picture import Picture
from contconv_cli.pictures.read import read
from contconv_cli.sizes import Wanted

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
)


class Maker(Protocol):
    """Makes a picture from another."""

    def steps(self, picture: Picture, wanted: Wanted) -> int:
        """How often it tells of progress."""
        ...

    def __call__(
        self, picture: Picture, wanted: Wanted, advance: Callable[[], None]
    ) -> Picture:
        """The picture at the size that is wanted."""
        ...


@dataclass(frozen=True)
class Order:
    """What holds for all pictures.

    Attributes:
        wanted: Their size.
        make: Makes a maker; called when the first picture is read.
        growing: Whether they may not become smaller.
        quality: Of JPEG and WebP.
        max_pixels: The most that a picture may have, before and after.
        force: Whether pictures that exist already are made anew.
    """

    wanted: Wanted
    make: Callable[[], Maker]
    growing: bool
    quality: int
    max_pixels: int
    force: bool


@dataclass
class Tally:
    """How many pictures there were."""

    made: int = 0
    skipped: int = 0
    failed: int = 0

    def __str__(self) -> str:
        return f"{self.made} made, {self.skipped} skipped, {self.failed} failed"


def run(jobs: list[Job], order: Order, share: Share) -> Tally:
    """Make this process's pictures; what fails is told, and the rest is made."""
    own, tally, maker = jobs[share.rank :: share.count], Tally(), cache(order.make)
    output.clear(job.target for job in own)
    console = Console(stderr=True, soft_wrap=True)
    shown = share.rank == 0 and console.is_terminal
    with Progress(*COLUMNS, console=console, disable=not shown, transient=True) as bar:
        files = bar.add_task("pictures", total=len(own), visible=len(own) > 1)
        tiles = bar.add_task("", total=None)
        for job in own:
            bar.reset(tiles, description=job.source.name)
            try:
                made = _make(job, order, maker, bar, tiles)
            except (PictureError, MemoryError, OSError, ValueError) as error:
                tally.failed += 1
                bar.console.print(_line(job, error), style="red", highlight=False)
            else:
                tally.made += made
                tally.skipped += not made
            bar.advance(files)
    return tally


def _make(
    job: Job, order: Order, maker: Callable[[], Maker], bar: Progress, task: TaskID
) -> bool:
    """Make one picture, unless it is there already."""
    if job.target.exists() and not order.force:
        if job.alone:
            raise PictureError(f"{job.target} exists already; --force makes it anew")
        return False
    picture = read(job.source, order.max_pixels)
    try:
        order.wanted.check(picture.size, order.max_pixels, growing=order.growing)
    except PictureError as error:
        raise PictureError(f"{job.source}: {error}") from None
    write.check_writable(picture, order.wanted.of(picture.size), job.target)
    output.check_place(job.target)
    if write.loses_bits(picture, job.target):
        bar.console.print(f"{job.target}: 8 of the 16 bits are kept", highlight=False)
    make = maker()
    bar.update(task, total=make.steps(picture, order.wanted))
    try:
        out = make(picture, order.wanted, lambda: bar.advance(task))
    except RuntimeError as error:
        if not _is_of_memory(error):
            raise
        way = "a smaller --tile takes less" if order.growing else "make it smaller"
        raise PictureError(f"{job.source} does not fit in memory; {way}") from None
    output.put(write.encoded(out, job.target, order.quality), job.target)
    return True


def _is_of_memory(error: RuntimeError) -> bool:
    """Whether memory ran out, for which torch has a type of its own on CUDA only."""
    return any(
        words in str(error)
        for words in ("out of memory", "allocate memory", "not enough memory")
    )


def _line(job: Job, error: Exception) -> str:
    """One line that names the picture."""
    text = " ".join(str(error).split()) or type(error).__name__
    named = any(str(path) in text for path in (job.source, job.target))
    return text if named else f"{job.source}: {text}"


def tell(tally: Tally, target: Path, share: Share, seconds: float) -> None:
    """Say how it went."""
    where = f"process {share.rank}: " if share.count > 1 else ""
    print(f"{where}{tally}, in {target} ({seconds:.1f} s)", file=sys.stderr)
