"""Run an experiment by name: `python -m experiments NAME [--quick]`."""

import sys
import time
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from cyclopts import App

from benchmarks import records
from benchmarks.records import REPOSITORY
from experiments import RESULTS, claims
from training.allocator import restart_with_kept_memory

NAMES = [module.name for module in iter_modules(claims.__path__)]

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
    experiment = import_module(f"experiments.claims.{name}")
    config = experiment.QUICK if quick else experiment.Config()
    record = (out or RESULTS) / f"{name}.json"
    figure = (out or records.FIGURES) / f"{name}.png"
    start = time.perf_counter()
    result = experiment.run(config)
    records.write(record, config, result, time.perf_counter() - start)
    experiment.plot(records.read(record), figure)
    print(f"{record}\n{figure}")
    experiment.check(result)


@app.command
def names() -> None:
    """List the experiments."""
    print("\n".join(NAMES))


@app.command
def table() -> None:
    """Write the evidence in README anew, from the committed records."""
    from experiments.table import write_readme

    write_readme(REPOSITORY / "README.md")


if __name__ == "__main__":
    restart_with_kept_memory()
    app()
