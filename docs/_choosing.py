"""What was measured of each kernel, side by side, for the page on which to take."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from _markdown import table

from benchmarks import records
from experiments import RESULTS
from experiments.claims import shift_equivariance
from experiments.shared import networks as _networks
from experiments.shared import trainings

# The kernels as the experiments name them; the last is for comparison.
NAMES = {"spline": "`spline`", "cosine": "`cosine`", "mlp": "`mlp`"}
BASE = "baseline"


def write_choosing(folder: Path) -> None:
    """Write a line for each measure, with a column for each kernel."""
    small, wide, shifts = (
        records.read(RESULTS / f"{name}.json")
        for name in ("accuracy", "accuracy_wide", "shift_equivariance")
    )
    names = (*NAMES, BASE)
    slower = [trainings.slower(wide["result"], name, BASE) for name in names]
    rows = [
        ["[24 channels](paper/accuracy.md), accuracy, %", *_accuracies(small, names)],
        ["[64 channels](paper/accuracy_wide.md), the same", *_accuracies(wide, names)],
        ["[Features](paper/shift_equivariance.md) shifted by 1 pixel, cosine"],
        ["the same, of what varies"],
        ["Time of a training step, 64 channels", *slower],
    ]
    for row, what in zip(rows[2:4], ("images", "images, varying"), strict=True):
        row += [
            f"{shift_equivariance.means(shifts['result'], name, what)[0]:.3f}"
            for name in names
        ]
    head = ["CC-Net and CIFAR-10", *NAMES.values(), "`nn.Conv2d`"]
    text = "\n".join(table(head, rows))
    (folder / "choosing.md").write_text(text + "\n")


def _accuracies(record: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    found = (_networks.accuracies(record["result"], name) for name in names)
    return [_networks.stated(values, ".1f") for values in found]
