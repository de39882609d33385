"""Tables of the pages, from the records of the experiments and from the library."""

import json
from pathlib import Path
from typing import Any

import torch
from _choosing import write_choosing
from _compared import write_compared
from _gallery import write_gallery
from _landing import write_landing
from _markdown import row, source
from _native import write_native
from _speed import write_speed
from _superres import write_superres

from contconv import ContinuousConv2d
from experiments.claims import alias_free as claims_alias_free
from experiments.claims import alias_free_trained as claims_trained

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "experiments" / "results"


def write_all() -> None:
    """Write every table to ``generated/``, where the pages include it."""
    folder = DOCS / "generated"
    folder.mkdir(exist_ok=True)
    records = {
        spectra: RESULTS / "spectra.json",
        initialisation: RESULTS / "initialisation.json",
        alias_free: RESULTS / "alias_free.json",
        alias_free_trained: RESULTS / "alias_free_trained.json",
    }
    for table, path in records.items():
        record = json.loads(path.read_text())
        text = "\n".join(table(record)) + f"\n\n*{source(record)}*\n"
        (folder / f"{table.__name__}.md").write_text(text)
    write_speed(folder)
    write_superres(folder)
    write_gallery(DOCS)
    write_native(folder)
    write_choosing(folder)
    write_compared(folder)
    write_landing(folder)
    (folder / "explain.txt").write_text(_explanation())


def _explanation() -> str:
    """What `explain` prints for the example of the page on speed."""
    features = torch.empty(1, 64, 64, 64, device="meta")
    layer = ContinuousConv2d(64, 64, 3, device="meta")
    return f"{layer.explain(features, scale=0.74)}\n"


def spectra(record: dict[str, Any]) -> list[str]:
    """The variances, and the worst growth with and without them."""
    rows = [row("width", "variances", "worst growth", "with equal variances")]
    rows.append(row(*["---"] * 4))
    for width, found in record["result"].items():
        variances = ", ".join(f"{value:.2f}" for value in found["spectrum"])
        worst = [
            max(max(end, 1 / end) for case in found[key] for _, end in case)
            for key in ("growth", "white")
        ]
        rows.append(row(width, variances, *(f"{value:.2f}" for value in worst)))
    return rows


def alias_free(record: dict[str, Any]) -> list[str]:
    """The lowest similarities, by network; and what the parts cost."""
    found = [row("network", "lowest similarity", "of what varies"), row(*["---"] * 3)]
    found += [row(*cells) for cells in claims_alias_free.rows(record["result"])]
    costs, channels = record["result"]["costs"], record["config"]["timed"][1]
    note = "Taps are cheap: with the low-pass filter, a strided 3 x 3 convolution of "
    note += f"{channels} channels takes {costs['multiply_adds']:.1f} times the "
    note += "multiply-adds. An activation at twice the pixels takes "
    note += f"{costs['activation']:.2g} times as long as ReLU of as many values."
    return [*found, "", note]


def alias_free_trained(record: dict[str, Any]) -> list[str]:
    """Accuracy, similarities and classes that stay, by network; what they compute."""
    head = ["", "", "accuracy, %", "lowest similarity", "of what varies"]
    head += ["class stays, %", "of cut-outs, %", "multiply-adds"]
    cells = claims_trained.rows(record["result"])
    return [row(*head), row(*["---"] * len(head)), *(row(*one) for one in cells)]


def initialisation(record: dict[str, Any]) -> list[str]:
    """Growth after the last layer, by kernel and by scale."""
    scales = record["config"]["scales"]
    rows = [row("kernel", "size", "between layers", *(f"{s}" for s in scales))]
    rows.append(row(*["---"] * (3 + len(scales))))
    ends: dict[tuple[str, str, str], list[str]] = {}
    for network in record["result"]["networks"]:
        size = f"{network['kernel_size']} x {network['kernel_size']}"
        key = (network["kernel"], size, _between(network["relu"]))
        ends.setdefault(key, []).append(f"{network['growth'][-1]:.2f}")
    rows += [row(*key, *values) for key, values in ends.items()]
    for relu in (False, True):
        conv = f"{record['result']['conv'][str(relu)][-1]:.2f}"
        level = [conv if scale == 1 else "" for scale in scales]
        rows.append(row("`nn.Conv2d`", "3 x 3", _between(relu), *level))
    values = [network["growth"][-1] for network in record["result"]["networks"]]
    inside = sum(0.5 <= value <= 2 for value in values)
    worst = max(max(value, 1 / value) for value in values)
    seeds = record["config"]["seeds"]
    note = f"Of these {len(values)} values, each over {seeds} networks, {inside} are "
    note += f"within a factor of 2; the worst is off by {worst:.2f}."
    return [*rows, "", note]


def _between(relu: bool) -> str:
    return "ReLU" if relu else "nothing"
