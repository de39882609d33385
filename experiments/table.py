"""What the paper says beside what the records say: the table of README and gallery."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import records
from experiments import RESULTS

# In the paper's order, then what it only mentions, then what is ours.
ORDER = (
    "one_photograph",
    "learned_kernels",
    "projected_grid",
    "repeated_filter",
    "generalization",
    "shift_equivariance",
    "accuracy",
    "ensembles",
    "gradual",
    "learned_scale",
    "numerators",
    "checkerboard",
    "superres",
    "superres_crops",
    "superres_shipped",
    "kernel_study",
    "spectra",
    "initialisation",
    "rotation",
)

START, END = "<!-- paper / ours -->", "<!-- end of paper / ours -->"


def recorded() -> list[tuple[str, ModuleType, dict[str, Any]]]:
    """Every experiment, in order, with the record of its full setting."""
    return [
        (
            name,
            importlib.import_module(f"experiments.claims.{name}"),
            records.read(RESULTS / f"{name}.json"),
        )
        for name in ORDER
        if name not in missing()
    ]


def missing() -> list[str]:
    """The experiments that have not been run at their full setting."""
    return [name for name in ORDER if not (RESULTS / f"{name}.json").exists()]


def taken(name: str) -> str:
    """How long an experiment took at its full setting, such as ``3 min``."""
    if name in missing():
        return "not run"
    seconds = records.read(RESULTS / f"{name}.json")["seconds"]
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def claim(module: ModuleType) -> str:
    """An experiment's claim: the first sentence of its file."""
    return (module.__doc__ or "").partition("\n")[0]


def table(link: str) -> str:
    """The table in Markdown; ``link`` is the page that the experiments are on."""
    rows = ["| claim | paper | ours | |", "|---|---|---|---|"]
    for name, module, record in recorded():
        if not hasattr(module, "compared"):
            continue
        page = f"[`{name}`]({link}#{anchor(name)})"
        for cells in module.compared(record["result"]):
            rows.append("| " + " | ".join((*cells, page)) + " |")
    for name in missing():
        module = importlib.import_module(f"experiments.claims.{name}")
        rows.append(f"| {claim(module)} | | not yet run in full | `{name}` |")
    return "\n".join(rows)


def title(name: str) -> str:
    """The heading of an experiment."""
    return name.replace("_", " ").capitalize()


def anchor(name: str) -> str:
    """Its heading's anchor."""
    return name.replace("_", "-")


def write_readme(path: Path) -> None:
    """Put the table between its two marks."""
    text = path.read_text()
    before, rest = text.split(START)
    _, after = rest.split(END)
    path.write_text(f"{before}{START}\n\n{table('docs/gallery.md')}\n\n{END}{after}")
