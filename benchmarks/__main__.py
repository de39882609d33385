"""Measure, and write the records: `python -m benchmarks`."""

import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from cyclopts import App
from rich.console import Console
from rich.table import Table

from benchmarks import ceilings, gpu, growth, warping
from benchmarks import networks as networks_steps
from benchmarks.check import changes
from benchmarks.figures import draw_growth, draw_targets
from benchmarks.parts import PARTS, RESULTS
from benchmarks.records import FIGURES, read, write
from benchmarks.runner import Result, Settings, measure
from benchmarks.standing import standing
from training.allocator import restart_with_kept_memory

# Where records of a few cases go: the committed ones have all.
QUICK = Path("out") / "benchmarks"

app = App(help="Time the layer against what people use.")


@app.default
def main(
    *parts: Literal["cases", "resize", "growth"],
    quick: bool = False,
    check: bool = False,
    rounds: int = Settings.rounds,
    threads: int = Settings.threads,
    out: Path | None = None,
) -> None:
    """Take the records, of time and peak memory; some minutes.

    Args:
        parts: Which records; all of them unless given.
        quick: Only a few cases.
        check: Compare with the records instead of writing them; what is slower by more
            than a half fails. A few cases, or all those of the parts that are given.
        rounds: How often all contenders take their turn.
        threads: Threads of PyTorch.
        out: The folder of the records; the committed ones unless given.
    """
    settings = Settings(rounds, threads)
    if check:
        few = quick or not parts
        sys.exit(_check(parts or ("cases", "resize"), few, settings, out or RESULTS))
    folder = out or (QUICK if quick else RESULTS)
    for part in parts or PARTS:
        _take(part, quick, settings, folder)
    if folder == RESULTS:
        draw()


@app.command
def draw(*, records: Path = RESULTS, out: Path = FIGURES) -> None:
    """Draw the figures anew from the records; nothing is measured.

    Args:
        records: The folder of the records.
        out: The folder of the figures.
    """
    draw_growth(read(PARTS["growth"].record(records)), out / "growth.png")
    draw_targets(standing(records), out / "targets.png")


@app.command
def networks(
    *, quick: bool = False, rounds: int = Settings.rounds, out: Path | None = None
) -> None:
    """Time a training step of CC-Net over that of its baseline.

    Args:
        quick: Only one step, in one thread.
        rounds: How often both networks take their turn.
        out: The folder of the record; the committed one unless given.
    """
    start, settings = time.perf_counter(), Settings(rounds)
    steps = networks_steps.STEPS[:1] if quick else networks_steps.STEPS
    measured = networks_steps.measure(steps, settings)
    Console().print(_table(measured, "baseline", "ps"))
    path = (out or (QUICK if quick else RESULTS)) / "networks.json"
    write(path, settings, measured, time.perf_counter() - start)
    print(path)


@app.command
def points(
    *, quick: bool = False, rounds: int = Settings.rounds, out: Path | None = None
) -> None:
    """Time `warp`, the Internal-Net and points, over what PyTorch has.

    Args:
        quick: Only one case.
        rounds: How often both take their turn.
        out: The folder of the record; the committed one unless given.
    """
    start, settings = time.perf_counter(), Settings(rounds)
    cases = warping.named()
    measured = measure(cases[:1] if quick else cases, settings)
    Console().print(_table(measured, "unit"))
    path = (out or (QUICK if quick else RESULTS)) / "points.json"
    write(path, settings, measured, time.perf_counter() - start)
    print(path)


@app.command
def cuda(
    *, quick: bool = False, rounds: int = Settings.rounds, out: Path | None = None
) -> None:
    """Time the layer on a GPU, beside cuDNN and what else people use there.

    Args:
        quick: Only a few cases.
        rounds: How often all contenders take their turn.
        out: The folder of the record; the committed one unless given.
    """
    if not torch.cuda.is_available():
        sys.exit("error: this PyTorch sees no CUDA device; `benchmarks cuda` needs one")
    start = time.perf_counter()
    best = ceilings.measured(gpu.event_timed, gpu.products_in, "cuda")
    print(best)
    measured = gpu.measure(gpu.QUICK if quick else gpu.JOBS, best, rounds)
    Console().print(_table(measured, "conv"))
    path = (out or (QUICK if quick else RESULTS)) / "cuda.json"
    result = {"ceilings": asdict(best), "cases": measured}
    config = gpu.Device.present(rounds)
    write(path, config, result, time.perf_counter() - start)
    print(path)


def _take(name: str, quick: bool, settings: Settings, folder: Path) -> None:
    """Measure a part and write its record."""
    start, part = time.perf_counter(), PARTS[name]
    measured = measure(part.quick() if quick else part.cases(), settings)
    Console().print(_table(measured, part.unit))
    result: dict[str, Any] = measured
    if name == "growth":
        result = {"points": measured, "slopes": growth.slopes(measured)}
    path = part.record(folder)
    write(path, settings, result, time.perf_counter() - start)
    print(path)


def _check(
    parts: Iterable[str], quick: bool, settings: Settings, folder: Path
) -> str | None:
    """What became slower, or None."""
    slower = []
    for part in (PARTS[name] for name in parts):
        table = Table("case", "recorded", "now", title=f"{part.ours} / {part.unit}")
        for change in changes(part, quick, settings, folder):
            ratios = [f"{ratio:.2f}" for ratio in (change.recorded, change.now)]
            table.add_row(change.case, *ratios)
            if change.slower:
                slower.append(f"slower: {change.case}: {' -> '.join(ratios)}")
        Console().print(table)
    return "\n".join(slower) or None


def _table(measured: Result, unit: str, what: str = "ms") -> Table:
    """Times over the unit's."""
    table = Table("case", f"{unit}, {what}", f"over {unit}")
    for name, times in measured.items():
        ms = times[unit][what]
        others = (f"{n} {t[what] / ms:.2f}" for n, t in times.items() if n != unit)
        table.add_row(name, f"{ms:.2f}", ", ".join(others))
    return table


if __name__ == "__main__":
    restart_with_kept_memory()
    app()
