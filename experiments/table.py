"""Claims of the paper beside our records: the tables of the gallery and of README."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import records
from benchmarks.standing import standing
from benchmarks.targets import TARGETS
from experiments import RESULTS, ROOT
from experiments.shared import trainings

# In the paper's order, then what it only mentions, then what is ours: with headings.
ORDER = {
    "one_photograph": "One photograph, every scale",
    "learned_kernels": "Known kernels, learned again",
    "projected_grid": "The projected grid",
    "repeated_filter": "A filter fifty times",
    "generalization": "Trained at one scale",
    "shift_equivariance": "Shift equivariance",
    "alias_free": "Without aliasing, not trained",
    "alias_free_trained": "Without aliasing, trained",
    "accuracy": "CIFAR-10",
    "accuracy_wide": "CIFAR-10 at the paper's width",
    "accuracy_paper": "CIFAR-10 by plain SGD",
    "speedrun": "CIFAR-10 in minutes",
    "ensembles": "Ensembles of scales",
    "ensembles_wide": "Ensembles at the paper's width",
    "gradual": "Gradual shrinking",
    "learned_scale": "Scales that are learned",
    "learned_strides": "Strides that are learned",
    "numerators": "Small numerators",
    "checkerboard": "Checkerboards",
    "superres": "Super-resolution",
    "superres_parts": "Super-resolution: other parts",
    "superres_crops": "Super-resolution: crops",
    "superres_shipped": "Super-resolution: what ships",
    "superres_inputs": "Super-resolution: JPEGs and text",
    "kernel_study": "Kernels in a small network",
    "spectra": "Spectra of new kernels",
    "initialisation": "Twenty layers, not trained",
    "rotation": "A full turn in 36 steps",
}

# What README shows: the experiment, and how the claim begins.
HIGHLIGHTS = (
    ("generalization", "Fig. 7: Internal-Net trained at one float scale"),
    ("repeated_filter", "drift after 50 4x4 filters (Fig. 6): CC"),
    ("shift_equivariance", "Table 1: shift equivariance, CC, gradual, Internal-Net"),
    ("shift_equivariance", "Table 1: shift equivariance, CC, gradual, splines"),
    ("accuracy_wide", "CIFAR-10, 64 channels, 6 epochs, 3 seeds: CC-Net, splines"),
    ("accuracy_wide", "CIFAR-10, 64 channels, 6 epochs, one seed: CC-Net, Internal"),
    ("accuracy_paper", "CIFAR-10, plain SGD, 64 channels, 30 epochs: CC-Net"),
    ("ensembles", "Ensemble of 2 scale sequences"),
    ("superres", "One network for all scales against x4 + cubic"),
)

# How experiments begin whose trainings are not timed; and those whose networks are not
# in the repository, but the time of their steps.
UNTIMED = ("superres", "ensembles_wide")
NOT_STORED = ("accuracy_wide", "accuracy_paper", "speedrun")

# Where a row of an experiment has the paper's number, for what the paper does not have.
_OURS = ("", "—", "not in the paper")

_HEADING = ("| claim | paper | ours | |", "|---|---|---|---|")

START, END = "<!-- evidence -->", "<!-- end of evidence -->"


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
    """How long an experiment took at its full setting: ``40 s``, or ``3 min``.

    The time of networks that were trained before comes after it: ``4 s + 4.3 h``.
    """
    if name in missing():
        return "not run"
    record = records.read(RESULTS / f"{name}.json")
    own = _time(record["seconds"])
    if name.startswith(UNTIMED):
        return f"{own} + training"
    if name in NOT_STORED:
        return f"{own} + {_time(trainings.seconds(record['result']))}"
    trained = _training(importlib.import_module(f"experiments.claims.{name}"))
    return f"{own} + {_time(trained)}" if trained else own


def _training(module: ModuleType) -> float:
    """The seconds that the stored networks of an experiment were trained for."""
    names = [f"{kind.network}-{kind.jitter:g}" for kind in getattr(module, "KINDS", ())]
    paths = (p for name in names for p in (ROOT / "weights").glob(f"{name}-*.json"))
    epochs = (epoch for path in paths for epoch in json.loads(path.read_text()))
    return sum(epoch["seconds"] for epoch in epochs)


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def claim(module: ModuleType) -> str:
    """An experiment's claim: the first sentence of its file."""
    return (module.__doc__ or "").partition("\n")[0]


def table(link: str) -> str:
    """What the paper says, in Markdown; ``link`` leads to an experiment, ``{}``."""
    rows = [
        _row(name, cells, link)
        for name, module, record in recorded()
        if hasattr(module, "compared")
        for cells in module.compared(record["result"])
        if cells[1] not in _OURS
    ]
    return "\n".join([*_HEADING, *rows])


def highlights(link: str) -> str:
    """The rows of `HIGHLIGHTS`, in the same form."""
    found = {name: (module, record) for name, module, record in recorded()}
    rows = []
    for name, start in HIGHLIGHTS:
        module, record = found[name]
        compared = module.compared(record["result"])
        rows += [_row(name, c, link) for c in compared if c[0].startswith(start)]
    return "\n".join([*_HEADING, *rows, _cost()])


def _cost() -> str:
    """What a layer of 64 channels costs, from the records of the benchmarks."""
    words = []
    for target, ratios in standing():
        if target in [TARGETS[name] for name in ("shrink 64", "enlarge 2", "backward")]:
            low, _, high = target.summary(list(ratios.values()))
            words.append(f"{target.what.split(', 3 x 3')[0]}: {low:.2f} to {high:.2f}")
    claim = "time on two CPU cores, of a convolution (enlarging: with interpolation)"
    page = "[`benchmarks`](docs/speed.md)"
    return f"| {claim} | mentioned, without numbers | {'; '.join(words)} | {page} |"


def _row(name: str, cells: tuple[str, str, str], link: str) -> str:
    page = f"[`{name}`]({link.format(name)})"
    return "| " + " | ".join((*cells, page)) + " |"


# Of README: what everyone can read without building the documentation.
CLAIMS = "experiments/claims/{}.py"


def write_readme(path: Path) -> None:
    """Put the highlights between their two marks."""
    text = path.read_text()
    before, rest = text.split(START)
    _, after = rest.split(END)
    path.write_text(f"{before}{START}\n\n{highlights(CLAIMS)}\n\n{END}{after}")
