"""Tables of the page on speed, from the records of the benchmarks."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from _markdown import source, table

from benchmarks import records
from benchmarks.growth import LINES
from benchmarks.parts import PARTS, RESULTS
from benchmarks.runner import Result
from benchmarks.standing import standing
from benchmarks.targets import TARGETS, Target

# Column titles and the contenders in them; the first that a case has is shown.
PEERS = {
    "contconv": ("contconv",),
    "new scales": ("new scales",),
    "interpolate + conv": ("interpolate + conv",),
    "strided or transposed conv": ("strided conv", "transposed conv"),
    "conv + pixel shuffle": ("conv + pixel shuffle",),
    "grid_sample + 1 x 1 conv": ("grid_sample + 1 x 1 conv",),
}
ENGINES = ("contconv", "periodic", "separable", "factored", "reference")
# What the first page shows of what it costs: one of each kind, the dearest among them.
FIRST = (
    "shrink 64",
    "shrink 64 below 1/2",
    "shrink 32",
    "small",
    "enlarge 2",
    "backward",
)
MEMORY = ("conv", "interpolate + conv", "contconv", "grid_sample + 1 x 1 conv")


def write_speed(folder: Path) -> None:
    """Write every table of the page to ``folder``."""
    layers, photos, grown = (
        records.read(PARTS[part].record(RESULTS))
        for part in ("cases", "resize", "growth")
    )
    steps, points = (
        records.read(RESULTS / f"{n}.json") for n in ("networks", "points")
    )
    tables = {
        "cost": (layers, _cost(list(TARGETS.values()))),
        "cost_first": (layers, _cost([TARGETS[name] for name in FIRST])),
        "speed_targets": (layers, _targets()),
        "speed_cases": (layers, _cases(layers["result"])),
        "speed_spread": (layers, _spread(layers["result"])),
        "speed_engines": (layers, _engines(layers["result"])),
        "speed_memory": (layers, _memory(layers["result"])),
        "speed_growth": (grown, _growth(grown["result"]["slopes"])),
        "speed_resize": (photos, _resize(photos["result"])),
        "speed_networks": (steps, _networks(steps["result"])),
        "speed_points": (points, _points(points["result"])),
    }
    for name, (record, lines) in tables.items():
        threads = record["config"]["threads"]
        where = f"{source(record)[:-1]}, on {threads} thread{'s' * (threads > 1)}."
        text = "\n".join(lines) + f"\n\n*{where}*\n"
        (folder / f"{name}.md").write_text(text)


def _cost(targets: list[Target]) -> list[str]:
    """What it costs, without what it should."""
    head = ["what", "over", "best", "median", "worst"]
    rows = [
        [target.what, target.unit, *map(_number, found)]
        for target, ratios in standing()
        if target in targets and not target.faster and target.measure == "ms"
        for found in [target.summary(list(ratios.values()))]
    ]
    return table(head, rows, words=2)


def _targets() -> list[str]:
    head = ["what", "ratio", "to reach", "first step", "best", "median", "worst"]
    rows = [_target(target, ratios) for target, ratios in standing()]
    return table([*head, "reached in", "verdict"], rows, words=2)


def _target(target: Target, ratios: dict[str, float]) -> Iterator[str]:
    values = list(ratios.values())
    sign = "at least" if target.faster else "at most"
    yield target.what
    yield target.over
    yield from (f"{sign} {target.to_reach:g}", f"{sign} {target.first_step:g}")
    yield from (_number(value) for value in target.summary(values))
    yield f"{target.met(values, target.to_reach)} of {len(values)}"
    yield f"**{target.verdict(values)}**"


def _cases(result: Result) -> list[str]:
    rows = []
    for case, times in result.items():
        unit = times["conv"]["ms"]
        found = [[n for n in names if n in times] for names in PEERS.values()]
        ratios = [_number(times[n[0]]["ms"] / unit) if n else "" for n in found]
        rows.append([case, f"{unit:.3g}", *ratios])
    return table(["case", "conv, ms", *PEERS], rows)


def _spread(result: Result) -> list[str]:
    spreads = sorted(
        (spread["high"] - spread["low"]) / spread["ms"]
        for times in result.values()
        for spread in times.values()
    )
    half, most = (spreads[int(part * len(spreads))] for part in (0.5, 0.9))
    return [
        f"The quartiles of a time lie at most {100 * half:.0f} % of the median apart "
        f"in half of the measurements, and {100 * most:.0f} % in nine of ten."
    ]


def _engines(result: Result) -> list[str]:
    rows = []
    for case, times in result.items():
        unit = times["contconv"]["ms"]
        others = [
            _number(times[n]["ms"] / unit) if n in times else "" for n in ENGINES[1:]
        ]
        rows.append([case, f"{unit:.3g}", *others])
    return table(["case", "contconv, ms", *ENGINES[1:]], rows)


def _memory(result: Result) -> list[str]:
    rows = []
    for case, found in result.items():
        extra = {n: c["extra"] / 2**20 for n, c in found.items() if "extra" in c}
        if {"contconv", "conv"} <= set(extra):
            cells = [_number(extra[n]) if n in extra else "" for n in MEMORY]
            ratio = extra["contconv"] / max(extra["conv"], 1e-9)
            rows.append([case, *cells, _number(ratio)])
    return table(["case", *(f"{n}, MiB" for n in MEMORY), "contconv / conv"], rows)


def _growth(slopes: dict[str, Any]) -> list[str]:
    columns = {"ms": "time", "extra": "memory"}
    head = [f"{words}, {line}" for words in columns.values() for line in LINES]
    rows = [
        [
            axis,
            *(f"{slopes[key][axis][line]:z.2f}" for key in columns for line in LINES),
        ]
        for axis in slopes["ms"]
    ]
    return table(["exponent of", *head], rows)


def _resize(result: Result) -> list[str]:
    rows = []
    for case, found in result.items():
        ours, unit = found["resize"], found["F.interpolate"]
        cells = [f"{unit['ms']:.3g}", _number(ours["ms"] / unit["ms"])]
        memory: list[Any] = [c.get("extra") for c in (unit, ours)]
        cells += ["" if m is None else _number(m / 2**20) for m in memory]
        rows.append([case, *cells])
    head = ["case", "F.interpolate, ms", "resize / F.interpolate"]
    return table([*head, "F.interpolate, MiB", "resize, MiB"], rows)


def _networks(result: Result) -> list[str]:
    """Of a step: in all, and for each multiply-add."""
    rows = []
    for case, found in result.items():
        unit, ours = found["baseline"], found["CC-Net"]
        ratios = [ours[key] / unit[key] for key in ("ms", "ps")]
        rows.append([case, f"{unit['ms']:.3g}", *map(_number, ratios)])
    head = ["case", "baseline, ms", "CC-Net / baseline", "for each multiply-add"]
    return table(head, rows)


def _points(result: Result) -> list[str]:
    rows = []
    for case, found in result.items():
        unit, ours = found["unit"]["ms"], found["contconv"]["ms"]
        rows.append([case, f"{unit:.3g}", _number(ours / unit)])
    return table(["case", "unit, ms", "contconv / unit"], rows)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"
