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
def main(
    name: str, *, quick: bool = False, record: bool = False, out: Path = Path("out")
) -> None:
    """Run an experiment, check its claim, and draw it.

    Args:
        name: The experiment.
        quick: Use the small variant that the tests run.
        record: Overwrite the record and the figure that are committed.
        out: Where the record and the figure go without --record.
    """
    if name not in NAMES:
        sys.exit(f"unknown experiment {name!r}; choose one of: " + ", ".join(NAMES))
    if quick and record:
        sys.exit("--record keeps runs of the full setting; leave --quick out")
    results, figures = (RESULTS, records.FIGURES) if record else (out, out)
    experiment = import_module(f"experiments.claims.{name}")
    config = experiment.QUICK if quick else experiment.Config()
    start = time.perf_counter()
    result = experiment.run(config)
    path, figure = results / f"{name}.json", figures / f"{name}.png"
    records.write(path, config, result, time.perf_counter() - start)
    experiment.plot(records.read(path), figure)
    print(f"{path}\n{figure}")
    experiment.check(result)


@app.command
def names() -> None:
    """List the experiments: how long each took, with its training, and its claim."""
    from experiments import table

    for name in table.ORDER:
        experiment = import_module(f"experiments.claims.{name}")
        print(f"{name:18} {table.taken(name):>16}  {table.claim(experiment)}")


@app.command
def table() -> None:
    """Write the evidence in README anew, from the committed records."""
    from experiments.table import write_readme

    write_readme(REPOSITORY / "README.md")


if __name__ == "__main__":
    restart_with_kept_memory()
    app()
