"""The parts of the benchmarks: what each measures, and where its record is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cases, growth, resizing
from benchmarks.contenders import contenders
from benchmarks.runner import Makers

RESULTS = Path(__file__).parent / "results"

Named = Iterable[tuple[str, Makers]]


@dataclass(frozen=True)
class Part:
    """A record: its file, its cases, and which ratio of theirs counts."""

    file: str
    cases: Callable[[], Named]
    quick: Callable[[], Named]
    ours: str
    unit: str

    def record(self, folder: Path = RESULTS) -> Path:
        """Where it is."""
        return folder / self.file


def _layers(chosen: list[cases.Case]) -> Named:
    return ((case.name, contenders(case)) for case in chosen)


def _photos(chosen: list[resizing.Photo]) -> Named:
    return ((photo.name, resizing.contenders(photo)) for photo in chosen)


PARTS = {
    "cases": Part(
        "cpu.json",
        lambda: _layers(cases.CASES),
        lambda: _layers(cases.QUICK),
        "contconv",
        "conv",
    ),
    "resize": Part(
        "resize.json",
        lambda: _photos(resizing.PHOTOS),
        lambda: _photos(resizing.QUICK),
        "resize",
        "F.interpolate",
    ),
    "growth": Part(
        "growth.json", growth.points, growth.few_points, "shrinking", "F.conv2d"
    ),
}
