"""Tables of the pages, from the records of the experiments."""

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "experiments" / "results"


def write_all() -> None:
    """Write every table to ``generated/``, where the pages include it."""
    folder = DOCS / "generated"
    folder.mkdir(exist_ok=True)
    records = {
        spectra: RESULTS / "spectra.json",
        initialisation: RESULTS / "initialisation.json",
        speed: DOCS.parent / "benchmarks" / "results" / "cpu.json",
    }
    for table, path in records.items():
        record = json.loads(path.read_text())
        text = "\n".join(table(record)) + f"\n\n*{_source(record)}*\n"
        (folder / f"{table.__name__}.md").write_text(text)


def spectra(record: dict[str, Any]) -> list[str]:
    """The variances, and the worst growth with and without them."""
    rows = [_row("width", "variances", "worst growth", "with equal variances")]
    rows.append(_row(*["---"] * 4))
    for width, found in record["result"].items():
        variances = ", ".join(f"{value:.2f}" for value in found["spectrum"])
        worst = [
            max(max(end, 1 / end) for case in found[key] for _, end in case)
            for key in ("growth", "white")
        ]
        rows.append(_row(width, variances, *(f"{value:.2f}" for value in worst)))
    return rows


def initialisation(record: dict[str, Any]) -> list[str]:
    """Growth after the last layer, by kernel and by scale."""
    scales = record["config"]["scales"]
    rows = [_row("kernel", "size", "between layers", *(f"{s}" for s in scales))]
    rows.append(_row(*["---"] * (3 + len(scales))))
    ends: dict[tuple[str, str, str], list[str]] = {}
    for network in record["result"]["networks"]:
        size = f"{network['kernel_size']} x {network['kernel_size']}"
        key = (network["kernel"], size, _between(network["relu"]))
        ends.setdefault(key, []).append(f"{network['growth'][-1]:.2f}")
    rows += [_row(*key, *values) for key, values in ends.items()]
    for relu in (False, True):
        conv = f"{record['result']['conv'][str(relu)][-1]:.2f}"
        level = [conv if scale == 1 else "" for scale in scales]
        rows.append(_row("`nn.Conv2d`", "3 x 3", _between(relu), *level))
    values = [network["growth"][-1] for network in record["result"]["networks"]]
    inside = sum(0.5 <= value <= 2 for value in values)
    worst = max(max(value, 1 / value) for value in values)
    seeds = record["config"]["seeds"]
    note = f"Of these {len(values)} values, each over {seeds} networks, {inside} are "
    note += f"within a factor of 2; the worst is off by {worst:.2f}."
    return [*rows, "", note]


def speed(record: dict[str, Any]) -> list[str]:
    """Times over that of the convolution, by case."""
    names = ["contconv", "periodic", "separable", "factored", "interpolate + conv"]
    rows = [_row("case", *names), _row(*["---"] * (1 + len(names)))]
    for case, times in record["result"].items():
        unit = times["conv"]["ms"]
        ratios = [f"{times[n]['ms'] / unit:.2f}" if n in times else "" for n in names]
        rows.append(_row(case, *ratios))
    return rows


def _between(relu: bool) -> str:
    return "ReLU" if relu else "nothing"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _source(record: dict[str, Any]) -> str:
    return f"Measured at commit {record['commit']} with PyTorch {record['torch']}."
