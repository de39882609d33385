"""The figures of the page on speed, drawn from the records alone."""

from math import exp
from pathlib import Path
from typing import Any

from benchmarks.growth import AXES, FITTED, LINES, line, slope
from benchmarks.runner import Result
from benchmarks.standing import Ratios
from benchmarks.targets import Target

_ROWS = {"ms": ("time", "ms", 1.0), "extra": ("extra peak memory", "MiB", 2.0**20)}
_STYLE = {
    "F.conv2d": ("grey", "s"),
    "shrinking": ("tab:blue", "o"),
    "enlarging": ("tab:orange", "^"),
}
_FIXED = {
    "output pixels": "64 channels, batch 1, 3 x 3",
    "channels": "65 x 65 output, batch 1, 3 x 3",
    "batch": "64 channels, 32 x 32 output, 3 x 3",
    "kernel size": "64 channels, 65 x 65 output, batch 1",
}


def draw_growth(record: dict[str, Any], figure: Path) -> None:
    """Time and memory on logarithmic axes, with the slopes of the largest points."""
    import matplotlib.pyplot as plt

    drawing, panels = plt.subplots(2, 4, figsize=(13, 6.6), layout="constrained")
    for row, measure in zip(panels, _ROWS, strict=True):
        for ax, axis in zip(row, AXES, strict=True):
            _panel(ax, record["result"]["points"], axis, measure)
    for ax, axis in zip(panels[0], AXES, strict=True):
        ax.set_title(_FIXED[axis], size=9)
    for row, (words, unit, _) in zip(panels, _ROWS.values(), strict=True):
        row[0].set_ylabel(f"{words}, {unit}")
    drawing.suptitle(
        "The layer, shrinking by 0.74 and enlarging by 1.74, and F.conv2d of the same "
        "output; with the slopes of the dashed lines",
        size=11,
    )
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def draw_targets(rows: list[tuple[Target, Ratios]], figure: Path) -> None:
    """Every ratio over the number that it should reach; a row for each target."""
    import matplotlib.pyplot as plt

    drawing, ax = plt.subplots(figsize=(9, 7), layout="constrained")
    ax.axvspan(1e-9, 1, color="tab:green", alpha=0.1)
    ax.axvline(1, color="tab:green", lw=1)
    seen = []
    for place, (target, ratios) in enumerate(reversed(rows)):
        values = [target.distance(ratio) for ratio in ratios.values()]
        ax.plot(values, [place] * len(values), "o", ms=5, alpha=0.5, color="tab:blue")
        first = target.distance(target.first_step)
        ax.plot(first, place, "|", ms=18, mew=2, color="tab:orange")
        seen += [*values, first, 1]
    ax.plot([], [], "o", ms=5, alpha=0.5, color="tab:blue", label="a case")
    ax.plot([], [], "|", ms=12, mew=2, color="tab:orange", label="first step")
    ax.set(xscale="log", xlim=(min(seen) / 1.3, max(seen) * 1.3))
    ax.set_xlabel("measured over the number to reach (green: reached)")
    ticks = [4.0**i for i in range(-6, 6) if min(seen) / 1.3 < 4.0**i]
    ticks = [tick for tick in ticks if tick < max(seen) * 1.3]
    ax.set_xticks(ticks, [f"{t:g}" if t >= 1 else f"1/{1 / t:g}" for t in ticks])
    ax.minorticks_off()
    labels = [f"{t.what.replace('`', '')}\n{t.over}" for t, _ in reversed(rows)]
    ax.set_yticks(range(len(rows)), labels, size=8)
    ax.grid(axis="x", alpha=0.25)
    drawing.legend(fontsize=8, loc="outside upper right", ncols=2)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def _panel(ax: Any, points: Result, axis: str, measure: str) -> None:
    unit = _ROWS[measure][2]
    for name in LINES:
        color, marker = _STYLE[name]
        values = {x: y / unit for x, y in line(points, axis, name, measure).items()}
        if len(values) < 2:
            ax.plot([], [], marker, color=color, label=f"{name}: too little to measure")
            continue
        power, offset = slope(values)
        ends = sorted(values)[-FITTED:][0], max(values)
        fitted = [exp(offset) * x**power for x in ends]
        ax.plot(*zip(*values.items(), strict=True), marker, ms=5, color=color)
        label = f"{name}: {power:z.2f}"
        ax.plot(ends, fitted, "--", lw=1.2, color=color, label=label)
    ax.set(xscale="log", yscale="log", xlabel=axis)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.25)  # room for the legend
    _plain_numbers(ax, list(AXES[axis]))
    ax.grid(alpha=0.25)
    ax.legend(fontsize=8, loc="upper left")


def _plain_numbers(ax: Any, shown: list[int]) -> None:
    """Ticks at the points, and at 1, 2, 5 where powers of ten are too few."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

    ax.set_xticks(shown, [_count(value) for value in shown])
    ax.xaxis.set_minor_locator(NullLocator())
    low, high = ax.get_ylim()
    steps = (1, 2, 5) if high / low < 200 else (1,)
    ax.yaxis.set_major_locator(LogLocator(subs=steps, numticks=12))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def _count(value: int) -> str:
    return f"{value / 1000:.3g}k" if value >= 10_000 else str(value)
