"""Measure the cases and write the record: `python -m benchmarks`."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from cyclopts import App
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.cases import CASES, QUICK
from benchmarks.contenders import contenders
from benchmarks.measure import Times, alternate
from experiments import _record

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Settings:
    """How the record was taken."""

    rounds: int
    threads: int
    least: float = 0.05  # seconds that a turn takes


app = App(help="Time the layer against ordinary convolutions.")


@app.default
def main(
    *,
    quick: bool = False,
    check: bool = False,
    rounds: int = 9,
    threads: int = 2,
    out: Path = RESULTS / "cpu.json",
) -> None:
    """Time every case; ratios to `F.conv2d` at the output size.

    Args:
        quick: Only a few cases.
        check: Compare with the record instead of writing it; slower by more than a
            half in any case fails.
        rounds: How often all contenders take their turn.
        threads: Threads of PyTorch.
        out: The record.
    """
    torch.set_num_threads(threads)
    settings, start = Settings(rounds, threads), time.perf_counter()
    measured = {
        case.name: alternate(contenders(case), rounds, settings.least)
        for case in track(QUICK if quick else CASES, "cases")
    }
    Console().print(_table(measured))
    if check:
        sys.exit(_slower(measured, _record.read(out)["result"]))
    _record.write(out, settings, measured, time.perf_counter() - start)


def ratio(times: Times, name: str) -> float:
    """The time of a contender over that of the convolution."""
    return times[name]["ms"] / times["conv"]["ms"]


def _table(measured: dict[str, Times]) -> Table:
    table = Table(
        "case", "contconv", "interpolate + conv", "engines", title="over conv"
    )
    for name, times in measured.items():
        fixed = {"conv", "contconv", "interpolate + conv"}
        others = [f"{n} {ratio(times, n):.2f}" for n in times if n not in fixed]
        cells = [f"{ratio(times, n):.2f}" for n in ("contconv", "interpolate + conv")]
        table.add_row(name, *cells, ", ".join(others))
    return table


def _slower(measured: dict[str, Times], recorded: dict[str, Times]) -> str | None:
    """What became slower than the record, or None."""
    lines = []
    for name, times in measured.items():
        if name in recorded:
            now, before = (ratio(t, "contconv") for t in (times, recorded[name]))
            if now > 1.5 * before:
                lines.append(f"{name}: {now:.2f}, was {before:.2f}")
    return "\n".join(lines) or None


if __name__ == "__main__":
    app()
