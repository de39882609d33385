"""Make all pictures, one after the other, and tell how it went."""

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
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
from rich.text import Text

from contconv_cli import output
from contconv_cli.errors import PictureError
from contconv_cli.jobs import Job, Share
from contconv_cli.messages import in_one_line, tell_line
from contconv_cli.pictures import write
from contconv_cli.pictures.formats import FORMATS
from contconv_cli.pictures.picture import Frames, Picture
from contconv_cli.pictures.read import read, size_of
from contconv_cli.plan import Plan, named
from contconv_cli.sizes import Wanted

COLUMNS = (
    TextColumn("{task.description}", markup=False),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
)


class Maker(Protocol):
    """Makes a picture from another."""

    def steps(self, picture: Picture, wanted: Wanted) -> int:
        """How often it tells of progress."""
        ...

    def remark(self, picture: Picture) -> tuple[str, str] | None:
        """How it makes this one, and why, where it does not make all alike."""
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
        quality: Of formats that lose something.
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
    """How many pictures there were, and how many were made in which way."""

    made: int = 0
    skipped: int = 0
    failed: int = 0
    ways: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return f"{self.made} made, {self.skipped} skipped, {self.failed} failed"


class Screen:
    """Progress and messages on stderr, of which no text is markup."""

    def __init__(self, shown: bool) -> None:
        # Where stderr is closed, rich would take stdout, where a picture may be.
        out = sys.stderr or StringIO()
        self._console = Console(file=out, soft_wrap=True)
        shown = shown and self._console.is_terminal
        self.bar = Progress(
            *COLUMNS, console=self._console, disable=not shown, transient=True
        )

    def say(self, text: object, style: str = "") -> None:
        """One line."""
        with suppress(OSError):  # closed or full: the work goes on
            self._console.print(Text(in_one_line(text), style))


def run(plan: Plan, order: Order, share: Share) -> Tally:
    """Make this process's pictures; what fails is told, and the rest is made."""
    own, tally, maker = plan.jobs[share.rank :: share.count], Tally(), cache(order.make)
    output.clear(job.target for job in own if job.target)
    screen = Screen(share.rank == 0)
    if share.rank == 0:
        _tell_of_others(plan, screen, tally)
    with screen.bar as bar:
        files = bar.add_task("pictures", total=len(own), visible=len(own) > 1)
        tiles = bar.add_task("", total=None)
        for job in own:
            bar.reset(tiles, description=in_one_line(Path(job.name).name))
            try:
                made = _make(job, order, maker, screen, tiles, tally.ways)
            except (PictureError, MemoryError, OSError, ValueError) as error:
                if isinstance(error, BrokenPipeError):
                    raise
                tally.failed += 1
                screen.say(_line(job, error), style="red")
            else:
                tally.made += made
                tally.skipped += not made
            bar.advance(files)
    return tally


def _tell_of_others(plan: Plan, screen: Screen, tally: Tally) -> None:
    if plan.passed_over:
        screen.say(f"passed over: {named(plan.passed_over)}")
    for line in plan.failures:
        tally.failed += 1
        screen.say(line, style="red")


def _make(
    job: Job,
    order: Order,
    maker: Callable[[], Maker],
    screen: Screen,
    task: TaskID,
    ways: Counter[str],
) -> bool:
    """Make one picture, unless it is there already."""
    if job.target and job.target.exists() and not order.force:
        _check_made(job, job.target, order)
        return False
    frames = read(_content(job), job.name, order.max_pixels)
    form = job.form or frames.form
    if FORMATS[form].several != "pages" and not frames.timing:
        frames = frames.without_previews()
    _check(frames, job, order, form)
    for line in write.losses(frames, form):
        screen.say(f"{job.target_name}: {line}")
    make = maker()
    remark = make.remark(frames.first)
    if remark and job.alone:
        screen.say(f"{job.name}: {': '.join(remark)}")
    steps = sum(make.steps(picture, order.wanted) for picture in frames.pictures)
    screen.bar.update(task, total=steps)
    out = _made(frames, job, order, make, lambda: screen.bar.advance(task))
    content = write.encoded(out, form, order.quality)
    if job.target:
        output.put(content, job.target, job.source)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    if remark and not job.alone:
        ways[remark[0]] += 1
    return True


def _content(job: Job) -> bytes:
    if job.source is None:
        if sys.stdin is None:
            raise PictureError("standard input is closed")
        return sys.stdin.buffer.read()
    try:
        return job.source.read_bytes()
    except OSError as error:
        raise PictureError(f"{job.name} cannot be read: {error.strerror}") from None


def _check_made(job: Job, target: Path, order: Order) -> None:
    """Raise PictureError if what is there is not what this run would make."""
    if job.alone:
        raise PictureError(f"{target} exists already; --force makes it anew")
    if target.is_dir():
        raise PictureError(f"{target} is a folder, where a picture is to go")
    source, found = size_of(job.source) if job.source else None, size_of(target)
    if source and found and order.wanted.of(source) != found:
        height, width = order.wanted.of(source)
        raise PictureError(
            f"{target} exists already with {found[1]} x {found[0]} pixels, not {width} "
            f"x {height}; --force makes it anew"
        )


def _check(frames: Frames, job: Job, order: Order, form: str) -> None:
    """Raise PictureError if it cannot be made so, or not be written there."""
    count = len(frames.pictures) if frames.timing else 1
    sizes = {picture.size for picture in frames.pictures}
    try:
        for size in sizes:
            most = order.max_pixels // count
            order.wanted.check(size, most, growing=order.growing)
    except PictureError as error:
        raise PictureError(f"{job.name}: {error}") from None
    largest = max((order.wanted.of(size) for size in sizes), key=max)
    write.check_writable(frames, largest, form, job.target_name)
    if job.target:
        output.check_place(job.target)


def _made(
    frames: Frames, job: Job, order: Order, make: Maker, advance: Callable[[], None]
) -> Frames:
    try:
        return frames.map(lambda picture: make(picture, order.wanted, advance))
    except RuntimeError as error:
        if not _is_of_memory(error):
            raise
        way = "a smaller --tile takes less" if order.growing else "make it smaller"
        raise PictureError(f"{job.name} does not fit in memory; {way}") from None


def _is_of_memory(error: RuntimeError) -> bool:
    """Whether memory ran out, for which torch has a type of its own on CUDA only."""
    return any(
        words in str(error)
        for words in ("out of memory", "allocate memory", "not enough memory")
    )


def _line(job: Job, error: Exception) -> str:
    """One line that names the picture."""
    text = str(error).strip() or type(error).__name__
    named = any(name in text for name in (job.name, job.target_name))
    return text if named else f"{job.name}: {text}"


def tell(tally: Tally, place: str, share: Share, seconds: float) -> None:
    """Say how it went."""
    where = f"process {share.rank}: " if share.count > 1 else ""
    why = "; what was there already is skipped without --force" if tally.skipped else ""
    ways = "".join(f"; {way}: {count}" for way, count in sorted(tally.ways.items()))
    line = in_one_line(f"{where}{tally}, in {place} ({seconds:.1f} s){ways}{why}")
    tell_line(line)
