"""Compare a machine with the records: what became slower."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import records
from benchmarks.parts import Part
from benchmarks.runner import Result, Settings, measure

# Ratios of one run vary by some tenths from machine to machine, and from hour to hour.
TOLERATED = 1.5


class Change(NamedTuple):
    """A case whose time over the unit's was recorded, and is measured anew."""

    case: str
    recorded: float
    now: float

    @property
    def slower(self) -> bool:
        """Whether it is so by more than is tolerated."""
        return self.now > TOLERATED * self.recorded


def changes(
    part: Part, quick: bool, settings: Settings, folder: Path
) -> Iterator[Change]:
    """Measure ours and its unit alone, in the cases that the record has."""
    record = records.read(part.record(folder))
    threads = record["config"]["threads"]
    if threads != settings.threads:
        print(f"the record was taken with --threads {threads}: ratios may differ")
    pairs = (
        (name, {who: makers[who] for who in (part.unit, part.ours)})
        for name, makers in (part.quick() if quick else part.cases())
    )
    before = record["result"].get("points", record["result"])
    return compared(measure(pairs, settings, memory=False), before, part)


def compared(now: Result, before: Result, part: Part) -> Iterator[Change]:
    """The ratios of the cases that both have."""
    for name in (name for name in now if name in before):
        old, new = (
            result[name][part.ours]["ms"] / result[name][part.unit]["ms"]
            for result in (before, now)
        )
        yield Change(name, old, new)
