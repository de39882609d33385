"""Tables of super-resolution: every network at every scale, and what each costs."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments import RESULTS

sys.path.insert(0, str(Path(__file__).parents[1]))

from _markdown import source, table

from benchmarks import records

_SHOWN = "PSNR above cubic resizing over the scale, for each network; and over time"
FIGURE = f"\n![{_SHOWN}](figures/superres.png)\n"


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
