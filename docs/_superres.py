"""Tables of super-resolution: every network at every scale, and what each costs."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments import RESULTS

sys.path.insert(0, str(Path(__file__).parents[1]))

from _markdown import source, table

from benchmarks import records
from experiments.claims.superres_inputs import (
    CLEAN,
    CUBIC,
    DEBLOCKED,
    PHOTO,
    UNCHANGED,
)
from experiments.claims.superres_shipped import NETS

_SHOWN = "PSNR above cubic resizing over the scale, for each network; and over time"
FIGURE = f"\n![{_SHOWN}](figures/superres.png)\n"

# What was tried, and what shipped before: written by hand, and no record.
LOG = Path(__file__).with_name("superres_log.json")


def write_superres(folder: Path) -> None:
    """Write both to ``folder``, or that there are no numbers yet."""
    path = RESULTS / "superres.json"
    tables = {"superres_fidelity": _fidelity, "superres_costs": _costs}
    for name, lines in tables.items():
        if path.exists():
            record = records.read(path)
            text = "\n".join(lines(record["result"])) + f"\n\n*{source(record)}*\n"
            text += FIGURE if name == "superres_fidelity" else ""
        else:
            text = "*Not yet run in full: `python -m experiments superres`.*\n"
        (folder / f"{name}.md").write_text(text)
    log = json.loads(LOG.read_text())
    inputs = records.read(RESULTS / "superres_inputs.json")
    shipped = records.read(RESULTS / "superres_shipped.json")["result"]["quality"]
    more = {
        "before": _before(log["before"], shipped, inputs["result"]),
        "small": _small(shipped),
        "trials": _trials(log["trials"]),
        "ensembles": _ensembles(log["ensembles"]),
        "targets": _targets(log["targets"]),
        "rule": [_rule(inputs["result"])],
        "inputs": [*_inputs(inputs["result"]), "", f"*{source(inputs)}*"],
    }
    for name, lines in more.items():
        (folder / f"superres_{name}.md").write_text("\n".join(lines) + "\n")


def _before(
    log: dict[str, dict[str, float]],
    shipped: list[dict[str, Any]],
    inputs: dict[str, Any],
) -> list[str]:
    """PSNR of the network that shipped before, and, from the records, of that now."""
    now = {
        (one["set"], f"{one['scales'][0]:g}"): one[CLEAN]["psnr"]
        for one in shipped
        if one["scales"][0] == one["scales"][1]
    }
    for one in inputs["pages"]:
        if one["quality"] == UNCHANGED:
            now["text and line art", f"{one['scale']:g}"] = one[CLEAN]
    scales = list(next(iter(log.values())))
    rows = (
        [
            f"x{s}",
            *(_change(was.get(s), now.get((part, s))) for part, was in log.items()),
        ]
        for s in scales
    )
    return table(["scale", *log], rows)


def _small(shipped: list[dict[str, Any]]) -> list[str]:
    """PSNR of both sizes at the same scale on both axes."""
    sets = list(dict.fromkeys(one["set"] for one in shipped))
    found: dict[str, dict[str, str]] = {}
    for one in shipped:
        y, x = one["scales"]
        if y == x:
            said = " / ".join(f"{one[name]['psnr']:.2f}" for name in (CUBIC, *NETS))
            found.setdefault(f"x{y:g}", {})[one["set"]] = said
    names = " / ".join((CUBIC, *NETS))
    rows = ([scale, *(row[part] for part in sets)] for scale, row in found.items())
    return table(["scale", *(f"{part}: {names}" for part in sets)], rows)


def _change(was: float | None, now: float | None) -> str:
    return "" if was is None or now is None else f"{was:.2f}, now {now:.2f}"


def _trials(log: list[dict[str, Any]]) -> list[str]:
    head = ["trial", "parameters", "steps", "Set5 unseen x2, x3, x4", "B100 x2, x3, x4"]
    rows = (
        [
            one["trial"],
            f"{one['thousand parameters']} k",
            f"{one['steps']}",
            *(", ".join(f"{v:.2f}" for v in one[p]) for p in ("Set5 unseen", "B100")),
            f"{one['mean']:.2f}",
        ]
        for one in log
    )
    return table([*head, "mean"], rows)


def _ensembles(log: list[dict[str, Any]]) -> list[str]:
    head = ["members", "Set5 unseen x2, x3, x4", "B100 x2"]
    return table(head, _rows(log, "+.2f"))


def _targets(log: list[dict[str, Any]]) -> list[str]:
    head = ["targets in a step", "Set5 unseen x1.3, 1.7, 2, 3, 4, 8", "B100"]
    return table(head, _rows(log, ".2f"))


def _rows(log: list[dict[str, Any]], form: str) -> Iterator[list[str]]:
    """What each way is called, and its numbers by set."""
    for one in log:
        numbers = (", ".join(format(v, form) for v in one[p]) for p in list(one)[1:])
        yield [one["how"], *numbers]


def _rule(result: dict[str, Any]) -> str:
    what = f"a JPEG of a quality below {result['photo below']} gets the photo weights"
    return f"The rule: **{what}, all else the clean ones.**"


def _inputs(result: dict[str, Any]) -> list[str]:
    """JPEGs enlarged: a row for each set, scale and quality."""
    head = ["JPEGs of", "scale", "quality", "cubic", "deblocked", CLEAN, PHOTO]
    rows = (
        [
            one["set"],
            f"x{one['scale']}",
            f"{one['quality']}",
            f"{one[CUBIC]:.2f}",
            f"{one[DEBLOCKED]:.2f} ({one['by']})",
            *(f"{one[name]:.2f}" for name in (CLEAN, PHOTO)),
        ]
        for one in result["jpegs"]
    )
    return table(head, rows)


def _fidelity(result: dict[str, Any]) -> Iterator[str]:
    """A table for each set: PSNR in dB and SSIM; a row for each network."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for one in result["quality"]:
        network = found.setdefault(one["set"], {}).setdefault(one["name"], {})
        network[_scales(one["scales"])] = f"{one['psnr']:.2f} / {one['ssim']:.4f}"
    for of, networks in found.items():
        scales = list(next(iter(networks.values())))
        yield from (f"**{of}**: PSNR in dB / SSIM", "")
        rows = ([name, *cells.values()] for name, cells in networks.items())
        yield from (*table(["network", *scales], rows), "")


def _scales(scales: list[float]) -> str:
    y, x = scales
    return f"x{y:g}" if y == x else f"{y:g} x {x:g}"


def _costs(result: dict[str, Any]) -> list[str]:
    head = ["network", "parameters", "multiply-adds, 10⁹", "ms", "memory, MiB"]
    rows = []
    for name, cost in result["costs"].items():
        memory = cost["memory"]
        rows.append(
            [
                name,
                f"{cost['parameters']:,}",
                f"{cost['multiply_adds'] / 1e9:.2f}",
                f"{cost['milliseconds']:.0f}",
                "" if memory is None else f"{memory / 2**20:.1f}",
            ]
        )
    return table(head, rows)
