"""Fig. 3: a layer learns a known kernel from one photograph at random scales.

The teachers are bicubic, and a Gaussian with a different sigma in each axis, rotated by
45 degrees. At each iteration the layer sees a patch of the photograph's Laplacian, and
what the teacher makes of it at a new random scale in each axis. The Laplacian, because
neighbors in a photograph are alike: there a kernel may be wrong in its fine detail, and
hardly be wrong in its output. What is learned from the photograph itself is shown, too.
Patches at small scales are few pixels: they throw a kernel back now and then, until the
learning rate falls.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from contconv.kernels import ContinuousKernel, CubicKernel, GaussianKernel
from experiments.shared import photographs as _photographs


@dataclass(frozen=True)
class Config:
    """The photograph, the kernels, and how long to train."""

    pixels: int = 176  # width and height of the part that is learned from
    patch: int = 40  # pixels a side, cut out at random for each iteration
    scales: tuple[float, float] = (0.3, 1.3)
    widths: tuple[int, ...] = (64, 64, 64, 16)
    frequencies: int = 12
    iterations: int = 1000
    shown: tuple[int, ...] = (0, 50, 200, 400, 1000)
    seeds: int = 3


QUICK = Config(
    pixels=64, widths=(32, 32, 32, 8), iterations=60, shown=(0, 10, 60), seeds=1
)

SIGMAS = (1.0, 0.4)  # along and across the rotated axis, in pixels

IMAGES = {"edges": _photographs.edges, "photograph": _photographs.less_mean}

# Points of the curves of relative errors.
POINTS = 50

# The darkest color, and how much darker differences are drawn.
LIMITS = {"bicubic": 1.0, "Gaussian": 0.4}
DARKER = 30


def teachers() -> dict[str, ContinuousKernel]:
    """Bicubic, and the Gaussian, cut off at the same support."""
    along, across = (sigma**2 for sigma in SIGMAS)
    mean, half = (along + across) / 2, (along - across) / 2
    support = (_photographs.WIDTH,) * 2
    gaussian = GaussianKernel([[mean, half], [half, mean]], support)
    return {"bicubic": CubicKernel(), "Gaussian": gaussian}


def run(config: Config) -> dict[str, Any]:
    """Each kernel learned by each learner, from each image, for every seed."""
    torch.set_num_threads(1)
    cases = [
        (teacher, learner, image, seed)
        for image in IMAGES
        for teacher in teachers()
        for learner in _photographs.RATES
        for seed in range(config.seeds if image == "edges" else 1)
    ]
    runs = [learn(config, *case) for case in track(cases, "learning")]
    return {"runs": runs}


def learn(
    config: Config, teacher: str, learner: str, image: str, seed: int
) -> dict[str, Any]:
    """One training: errors on the way, and the kernels to show, for the first seed."""
    torch.manual_seed(seed)
    true, kernel = teachers()[teacher], new_kernel(config, learner)
    errors, kernels, start = {}, {}, time.process_time()
    for done in _photographs.learning(
        kernel,
        true,
        _patches(config, image),
        config.iterations,
        _photographs.RATES[learner],
    ):
        if done % math.ceil(config.iterations / POINTS) == 0:
            errors[done] = round(_photographs.relative_error(kernel, true), 5)
        if done in config.shown and image == "edges" and seed == 0:
            kernels[done] = _photographs.packed(_photographs.sampled(kernel, 50))
    return {
        "teacher": teacher,
        "learner": learner,
        "image": image,
        "seed": seed,
        "parameters": sum(parameter.numel() for parameter in kernel.parameters()),
        "seconds": round(time.process_time() - start, 1),
        "relative_error": _photographs.relative_error(kernel, true),
        "curve": {"iterations": list(errors), "errors": list(errors.values())},
        "kernels": kernels,
    }


def new_kernel(config: Config, learner: str) -> ContinuousKernel:
    """A new kernel of that name."""
    if learner == "cosines":
        return _photographs.cosine(config.frequencies)
    return _photographs.internal_net(config.widths)


def _patches(
    config: Config, image: str
) -> Callable[[], tuple[Tensor, _photographs.Scale]]:
    whole = IMAGES[image](config.pixels)

    def draw() -> tuple[Tensor, _photographs.Scale]:
        patch = _photographs.crop(whole, config.patch)
        return patch, _photographs.uniform(*config.scales)

    return draw


def chosen(result: dict[str, Any], **names: str) -> list[dict[str, Any]]:
    """The runs with these names."""
    return [
        row
        for row in result["runs"]
        if all(row[key] == name for key, name in names.items())
    ]


def check(result: dict[str, Any]) -> None:
    """Every learner comes within 3 % of both kernels, if it trained for long enough."""
    for row in chosen(result, image="edges"):
        full = row["curve"]["iterations"][-1] >= Config.iterations
        assert row["relative_error"] < (0.03 if full else 0.4), row


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The worst relative errors, and what the photograph itself gives."""
    table = []
    for teacher in teachers():
        runs = chosen(result, teacher=teacher, image="edges")
        claim = f"Fig. 3: {teacher} kernel learned from one photograph, relative error"
        ours = (
            f"{_worst(result, teacher, 'edges')}, the worst of {_seeds(runs)} seeds, "
            f"from the photograph's Laplacian; from the photograph itself "
            f"{_worst(result, teacher, 'photograph')}; "
            f"{runs[0]['curve']['iterations'][-1]} iterations"
        )
        table.append((claim, "shown, without a number", ours))
    return table


def _seeds(runs: list[dict[str, Any]]) -> int:
    return len({row["seed"] for row in runs})


def _worst(result: dict[str, Any], teacher: str, image: str) -> str:
    """The largest relative error of each learner, in words."""
    parts = []
    for learner in _photographs.RATES:
        runs = chosen(result, teacher=teacher, learner=learner, image=image)
        worst = max(row["relative_error"] for row in runs)
        parts.append(f"{100 * worst:.1f} % ({learner})")
    return ", ".join(parts)


def plot(record: dict[str, Any], figure: Path) -> None:
    """The kernels while they are learned, beside the truth; the errors on the way."""
    import matplotlib.pyplot as plt

    result = record["result"]
    rows = [row for row in result["runs"] if row["kernels"]]
    drawing = plt.figure(figsize=(14, 7), layout="constrained")
    panels: Any = drawing.subfigures(1, 2, width_ratios=(2.2, 1))
    grid = panels[0].subplots(len(rows), len(rows[0]["kernels"]) + 2, squeeze=False)
    for axes, row in zip(grid, rows, strict=True):
        _draw_row(axes, row, first=row is rows[0])
    curves = panels[1].subplots(len(teachers()), 1, sharex=True, sharey=True)
    for ax, teacher in zip(curves, teachers(), strict=True):
        _draw_curves(ax, result, teacher)
    curves[-1].set_xlabel("iterations, each at a new random scale")
    panels[0].supxlabel("distance in pixels", size=9)
    handles, labels = curves[0].get_legend_handles_labels()
    panels[1].legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def _draw_row(axes: Any, row: dict[str, Any], first: bool) -> None:
    """One learner's kernels over the iterations, the truth, and the difference."""
    kernels = {
        f"{done} iterations": _photographs.unpacked(text)
        for done, text in row["kernels"].items()
    }
    learned = list(kernels.values())[-1]
    true = _photographs.sampled(teachers()[row["teacher"]], len(learned))
    kernels["truth"] = true
    kernels[f"{DARKER} x difference"] = DARKER * (learned - true)
    limit = LIMITS[row["teacher"]]
    shown = None
    for ax, (title, values) in zip(axes, kernels.items(), strict=True):
        shown = ax.imshow(
            values.numpy(),
            extent=(-2, 2, 2, -2),
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
        )
        ax.set_xticks([-2, 0, 2])
        ax.set_yticks([-2, 0, 2])
        ax.tick_params(labelsize=7)
        if first:
            ax.set_title(title, size=9)
    axes[0].figure.colorbar(shown, ax=axes, shrink=0.8, pad=0.01)
    axes[0].set_ylabel(f"{row['teacher']},\n{row['learner']}", size=9)
    axes[-1].set_xlabel(f"relative error {100 * row['relative_error']:.1f} %", size=8)


def _draw_curves(ax: Any, result: dict[str, Any], teacher: str) -> None:
    colors = dict(zip(_photographs.RATES, ("tab:blue", "tab:orange"), strict=True))
    labels = set()
    for row in chosen(result, teacher=teacher):
        style = "-" if row["image"] == "edges" else "--"
        source = "Laplacian" if row["image"] == "edges" else "photograph itself"
        label = f"{row['learner']}, {source}"
        ax.plot(
            row["curve"]["iterations"],
            [100 * error for error in row["curve"]["errors"]],
            style,
            color=colors[row["learner"]],
            lw=1.3,
            label=None if label in labels else label,
        )
        labels.add(label)
    ax.axhline(3, color="grey", ls=":", label="3 %")
    ax.set(yscale="log", title=teacher, ylabel="relative error of the kernel, %")
    ax.set_yticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    ax.minorticks_off()
