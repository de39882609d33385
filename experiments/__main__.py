"""Run an experiment by name: `python -m experiments NAME [--quick]`."""

import sys
import time
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from cyclopts import App

from experiments import _record
from training.allocator import restart_with_kept_memory

NAMES = [m.name for m in iter_modules([str(_record.ROOT)]) if m.name[0] != "_"]

app = App(help="Run one of: " + ", ".join(NAMES))


@app.default
def main(name: str, *, quick: bool = False, out: Path | None = None) -> None:
    """Run an experiment, check its claim, and draw it.

    Args:
        name: The experiment.
        quick: Use the small variant that the tests run.
        out: Where the record and the figure go; the committed ones unless given.
    """
    if name not in NAMES:
        sys.exit(f"unknown experiment {name!r}; choose one of: " + ", ".join(NAMES))
    experiment = import_module(f"experiments.{name}")
    config = experiment.QUICK if quick else experiment.Config()
    record = (out or _record.RESULTS) / f"{name}.json"
    figure = (out or _record.FIGURES) / f"{name}.png"
    start = time.perf_counter()
    result = experiment.run(config)
    _record.write(record, config, result, time.perf_counter() - start)
    experiment.plot(_record.read(record), figure)
    print(f"{record}\n{figure}")
    experiment.check(result)


@app.command
def names() -> None:
    """List the experiments."""
    print("\n".join(NAMES))


@app.command
def table() -> None:
    """Write the table "paper / ours" of README anew, from the committed records."""
    from experiments._table import write_readme

    write_readme(_record.ROOT.parent / "README.md")


if __name__ == "__main__":
    restart_with_kept_memory()
    app()
