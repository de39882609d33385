"""Sec. 5.1: a kernel learned from one photograph at one scale serves every scale.

The teacher is bicubic resizing. A continuous kernel sees a photograph and its bicubic
copy at a single random scale per axis. Sub-pixel distances are all different there, so
that it learns the whole function, and then resizes to scales that it has never seen.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn
from rich.table import Table
from torch import Tensor

from contconv import ContinuousConv2d, resize
from contconv.kernels import CosineKernel, CubicKernel


@dataclass(frozen=True)
class Config:
    """The photograph, the scales, and how long to train."""

    pixels: int = 176  # width and height of the part that is learned from
    frequencies: int = 8
    train_scales: tuple[float, float] = (0.5, 1.0)  # one is drawn from here, per axis
    test_scales: tuple[float, float] = (0.3, 3.0)
    test_count: int = 100
    steps: int = 20  # of 5 iterations each
    seed: int = 0


QUICK = Config(pixels=64, steps=12, test_count=12)

ODD_SCALES = ((0.37, 0.61), (1.73, 0.89), (1.31, 2.71))


def run(config: Config) -> dict[str, Any]:
    """Train at one scale, test at many; print a table."""
    torch.manual_seed(config.seed)
    image = photograph(config.pixels)
    scale = tuple(_uniform(*config.train_scales) for _ in range(2))
    layer = new_layer(config.frequencies)
    losses = train(layer, image, scale, config.steps)
    unseen = [
        tuple(_log_uniform(*config.test_scales) for _ in range(2))
        for _ in range(config.test_count)
    ]
    errors = [error(layer, image, pair) for pair in unseen]
    result = {
        "scale": scale,
        "losses": losses,
        "train_error": error(layer, image, scale),
        "unseen_scales": unseen,
        "unseen_errors": errors,
        "kernel_error": kernel_error(layer),
        "head": layer.kernel.head.tolist(),
    }
    Console().print(_table(result))
    return result


def photograph(pixels: int) -> Tensor:
    """The face of scikit-image's cat, ``[1, 3, pixels, pixels]``, from 0 to 1."""
    from skimage import data

    cat = torch.from_numpy(data.chelsea()).permute(2, 0, 1)[None] / 255
    top, left = 122 - pixels // 2, 216 - pixels // 2
    return cat[..., top : top + pixels, left : left + pixels]


def new_layer(frequencies: int) -> ContinuousConv2d:
    """One 4x4 kernel for all three colours."""
    kernel = CosineKernel(1, 1, (4, 4), frequencies=frequencies)
    return ContinuousConv2d(
        3, 3, 4, groups=3, bias=False, kernel=kernel, padding_mode="replicate"
    )


def teacher(image: Tensor, scale: tuple[float, ...]) -> Tensor:
    """Bicubic resizing; the kernel to be learned is the same at every scale."""
    return resize(image, scale=scale, antialias=False)


def train(
    layer: ContinuousConv2d, image: Tensor, scale: tuple[float, ...], steps: int
) -> list[float]:
    """Fit the layer at one scale; the errors, in grey levels, one for each step."""
    target = teacher(image, scale)
    optimizer = torch.optim.LBFGS(
        layer.parameters(), max_iter=5, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        # In squared grey levels: the tolerances of LBFGS are absolute.
        value = (255 * (layer(image, scale=scale) - target)).square().mean()
        value.backward()
        return value

    errors = []
    columns = (
        *Progress.get_default_columns(),
        TimeElapsedColumn(),
        "{task.fields[error]}",
    )
    with Progress(*columns) as progress:
        task = progress.add_task("learning", total=steps, error="")
        for _ in range(steps):
            errors.append(math.sqrt(optimizer.step(loss).item()))
            progress.update(task, advance=1, error=f"error {errors[-1]:.3f} of 255")
    return errors


@torch.no_grad()
def error(layer: ContinuousConv2d, image: Tensor, scale: tuple[float, ...]) -> float:
    """Root mean square difference from the teacher, in grey levels (of 255)."""
    difference = layer(image, scale=scale) - teacher(image, scale)
    return 255 * difference.square().mean().sqrt().item()


@torch.no_grad()
def kernel_error(layer: ContinuousConv2d) -> float:
    """Relative difference of the learned function from the cubic."""
    learned, true = (_sampled(kernel) for kernel in (layer.kernel, CubicKernel()))
    return ((learned - true).norm() / true.norm()).item()


def check(result: dict[str, Any]) -> None:
    """At scales never seen, the error is at most twice that of training."""
    mean = sum(result["unseen_errors"]) / len(result["unseen_errors"])
    assert mean <= 2 * result["train_error"], (mean, result["train_error"])


def plot(record: dict[str, Any], figure: Path) -> None:
    """The kernels, the photograph at odd sizes, and the errors over scale."""
    import matplotlib.pyplot as plt

    config, result = Config(**record["config"]), record["result"]
    layer = new_layer(config.frequencies)
    layer.kernel.head.data = torch.tensor(result["head"])
    drawing = plt.figure(figsize=(11, 6.6), layout="constrained")
    panels: Any = drawing.subfigures(2, 1, height_ratios=(1.25, 1))
    top, bottom = panels
    _draw_photographs(top, layer, photograph(config.pixels))
    axes = bottom.subplots(1, 4, width_ratios=(1, 1, 1, 2))
    _draw_kernels(axes[:3], layer, result["kernel_error"])
    _draw_errors(axes[3], result)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def _draw_photographs(panel: Any, layer: ContinuousConv2d, image: Tensor) -> None:
    """The input and the output at odd scales, all in the same pixels."""
    with torch.no_grad():
        pictures = [image, *(layer(image, scale=pair) for pair in ODD_SCALES)]
    titles = ["the one photograph", *(f"{y} x {x}" for y, x in ODD_SCALES)]
    widths = [picture.shape[3] for picture in pictures]
    tallest = max(picture.shape[2] for picture in pictures)
    axes = panel.subplots(1, len(pictures), width_ratios=widths)
    for ax, picture, title in zip(axes.flat, pictures, titles, strict=True):
        ax.imshow(
            picture[0].permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="nearest"
        )
        ax.set_ylim(tallest, 0)
        ax.axis("off")
        ax.set_title(f"{title}\n{picture.shape[2]} x {picture.shape[3]} pixels", size=9)
    panel.suptitle("One learned layer, at scales that it has never seen", size=12)


def _draw_kernels(axes: Any, layer: ContinuousConv2d, relative: float) -> None:
    with torch.no_grad():
        learned, true = _sampled(layer.kernel), _sampled(CubicKernel())
    drawn = {
        "bicubic kernel": (true, 1.0),
        "learned kernel": (learned, 1.0),
        f"difference\n({100 * relative:.1f} %; 20 times as dark)": (
            learned - true,
            0.05,
        ),
    }
    for ax, (title, (values, limit)) in zip(axes, drawn.items(), strict=True):
        shown = ax.imshow(
            values.numpy(),
            extent=(-2, 2, 2, -2),
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
        )
        ax.figure.colorbar(shown, ax=ax, shrink=0.55)
        ax.set_title(title, size=9)
        ax.set_xlabel("distance in pixels", size=8)


def _draw_errors(ax: Any, result: dict[str, Any]) -> None:
    scales = [math.sqrt(y * x) for y, x in result["unseen_scales"]]
    label = f"{len(scales)} unseen scales"
    ax.plot(scales, result["unseen_errors"], "o", ms=4, alpha=0.7, label=label)
    train = result["train_error"]
    ax.plot(math.sqrt(math.prod(result["scale"])), train, "r*", ms=13, label="training")
    ax.axhline(2 * train, color="grey", ls="--", lw=1, label="twice the training error")
    ax.set(xscale="log", ylim=(0, 3 * train))
    ax.set_xticks([0.5, 1, 2], ["1/2", "1", "2"])
    ax.minorticks_off()
    ax.set_xlabel("scale (geometric mean of both axes)", size=9)
    ax.set_ylabel("error, grey levels of 255", size=9)
    ax.set_title("error against bicubic resizing", size=9)
    ax.legend(fontsize=8, loc="lower right")


def _sampled(kernel: torch.nn.Module) -> Tensor:
    """The weights over the support, 201 x 201."""
    line = torch.linspace(-2, 2, 201)
    distances = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)
    return kernel(distances)[..., 0, 0]


def _table(result: dict[str, Any]) -> Table:
    errors = sorted(result["unseen_errors"])
    pairs = ", ".join(f"{value:.4f}" for value in result["scale"])
    table = Table("scales", "root mean square error, of 255", title="learned bicubic")
    table.add_row(f"training: one, ({pairs})", f"{result['train_error']:.4f}")
    mean = sum(errors) / len(errors)
    table.add_row(f"unseen: {len(errors)}, mean", f"{mean:.4f}")
    table.add_row("unseen: median", f"{errors[len(errors) // 2]:.4f}")
    table.add_row("unseen: worst", f"{errors[-1]:.4f}")
    return table


def _uniform(low: float, high: float) -> float:
    return torch.empty(1).uniform_(low, high).item()


def _log_uniform(low: float, high: float) -> float:
    return math.exp(_uniform(math.log(low), math.log(high)))
