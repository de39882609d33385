"""Turned once around in 36 steps, a photograph keeps more with ours than with bicubic.

Each step is a rotation by 10 degrees about the centre, so that after 36 of them nothing
but the errors of the interpolation is left. They add up: PyTorch's bicubic
`grid_sample`, a cubic with a = -3/4, makes edges ring, as its kernel is too steep. The
same kernel in `warp` does the same, to rounding; with a = -1/2 it does not, and longer
kernels keep finer detail, at their price. In few steps there is little to add up, and
the steeper cubic may keep more. Measured on a disc that stays within the
picture, some pixels from its edge.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor

from contconv import rotation, warp
from contconv.kernels import CubicKernel, LanczosKernel
from contconv.metrics import psnr

Turn = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Config:
    """The photographs, and into how many steps a full turn is divided."""

    photographs: tuple[str, ...] = ("camera", "astronaut")
    pixels: int = 256  # of the square that is turned
    steps: tuple[int, ...] = (5, 12, 36)
    margin: int = 16  # pixels between the disc and the edge of the picture


QUICK = Config(photographs=("camera",), pixels=96, steps=(5, 36), margin=12)

BASE = "grid_sample bicubic"
WAYS: dict[str, Callable[[int, float], Turn]] = {
    "grid_sample bilinear": lambda pixels, angle: by_grid(pixels, angle, "bilinear"),
    BASE: lambda pixels, angle: by_grid(pixels, angle, "bicubic"),
    "warp cubic, a = -3/4": lambda pixels, angle: by_warp(
        pixels, angle, CubicKernel(-0.75)
    ),
    "warp cubic": lambda pixels, angle: by_warp(pixels, angle, "cubic"),
    "warp lanczos3": lambda pixels, angle: by_warp(pixels, angle, "lanczos3"),
    "warp Lanczos, 5 lobes": lambda pixels, angle: by_warp(
        pixels, angle, LanczosKernel(5)
    ),
    "warp Lanczos, 8 lobes": lambda pixels, angle: by_warp(
        pixels, angle, LanczosKernel(8)
    ),
}
SHOWN = (BASE, "warp cubic", "warp lanczos3", "warp Lanczos, 8 lobes")


def by_grid(pixels: int, angle: float, mode: str) -> Turn:
    """What PyTorch does; its grid counts (x, y) from -1 to 1."""
    line = torch.linspace(-1, 1, pixels, dtype=torch.float64)
    y, x = torch.meshgrid(line, line, indexing="ij")
    turn = rotation(angle, 1)[:, :2]
    places = (torch.stack([y, x], -1) @ turn.T).flip(-1)[None]

    def once(image: Tensor) -> Tensor:
        return F.grid_sample(
            image, places.to(image), mode, padding_mode="border", align_corners=True
        )

    return once


def by_warp(pixels: int, angle: float, kernel: Any) -> Turn:
    """What ours does."""
    matrix = rotation(angle, pixels)
    return lambda image: warp(image, kernel, matrix, padding_mode="replicate")


def run(config: Config) -> dict[str, Any]:
    """The PSNR after a full turn in so many steps, and the time of a step."""
    torch.set_num_threads(1)
    ways = {}
    for way in track(WAYS, "turning"):
        ways[way] = {
            name: [turned(way, name, steps, config)[1] for steps in config.steps]
            for name in config.photographs
        }
    return ways


def turned(way: str, name: str, steps: int, config: Config) -> tuple[Tensor, Any]:
    """The photograph after a full turn, its PSNR, and milliseconds of a step.

    Of the fastest one: what else the machine does only makes them slower.
    """
    image = photograph(name, config.pixels)
    turn, now, times = WAYS[way](config.pixels, 360 / steps), image, []
    for _ in range(steps):
        start = time.perf_counter()
        now = turn(now)
        times.append(1000 * (time.perf_counter() - start))
    inside = disc(config)
    found = psnr(now[..., inside][..., None], image[..., inside][..., None])
    return now, {"psnr": found.item(), "milliseconds": min(times)}


def photograph(name: str, pixels: int) -> Tensor:
    """A part of a photograph that comes with scikit-image, ``[1, c, h, w]``."""
    from skimage import data

    given = torch.from_numpy(getattr(data, name)()).float() / 255
    image = given.view(*given.shape[:2], -1).permute(2, 0, 1)
    top, left = (image.shape[1] - pixels) // 4, (image.shape[2] - pixels) // 2
    return image[None, :, top : top + pixels, left : left + pixels].contiguous()


def disc(config: Config) -> Tensor:
    """Which pixels are compared."""
    place = torch.arange(config.pixels) - (config.pixels - 1) / 2
    square = place.square()
    radius = config.pixels / 2 - config.margin
    return square[:, None] + square < radius**2


def check(result: dict[str, Any]) -> None:
    """Longer kernels keep more; the same kernel keeps the same."""
    ladder = [BASE, "warp cubic", "warp lanczos3", *list(WAYS)[-2:]]
    for worse, better in pairwise(ladder):
        for name, rows in result[worse].items():
            before, after = rows[-1]["psnr"], result[better][name][-1]["psnr"]
            assert after > before, (worse, better, name)
    for name, rows in result[BASE].items():
        for row, same in zip(rows, result[list(WAYS)[2]][name], strict=True):
            assert abs(row["psnr"] - same["psnr"]) < 0.05, name


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The rows of the table."""
    rows = []
    for name in result[BASE]:
        each = [
            f"{way} {rows_of[name][-1]['psnr']:.1f}" for way, rows_of in _all(result)
        ]
        what = f"a full turn of a photograph ({name}) in 36 steps, dB"
        rows.append((what, "not in the paper", ", ".join(each)))
    each = [
        f"{way} {slower(result, way):.0f}" for way in WAYS if way.startswith("warp")
    ]
    what = "time of a step, in those of bicubic `grid_sample` (one channel)"
    return [*rows, (what, "not in the paper", ", ".join(each))]


def _all(result: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(way, result[way]) for way in WAYS]


def slower(result: dict[str, Any], way: str) -> float:
    """The time of a step over that of bicubic `grid_sample`, first photograph."""
    name = next(iter(result[BASE]))
    return median(
        row["milliseconds"] / base["milliseconds"]
        for row, base in zip(result[way][name], result[BASE][name], strict=True)
    )


def plot(record: dict[str, Any], figure: Path) -> None:
    """The first photograph after its turn; the PSNR by the number of steps."""
    import matplotlib.pyplot as plt

    config, result = Config(**record["config"]), record["result"]
    drawing = plt.figure(figsize=(12, 6.2), layout="constrained")
    panels: Any = drawing.subfigures(2, 1, height_ratios=(1, 1))
    _draw_images(panels[0].subplots(1, len(SHOWN) + 1), config, result)
    axes = panels[1].subplots(1, len(config.photographs) + 1)
    for ax, name in zip(axes, config.photographs, strict=False):
        for way, color in zip(WAYS, plt.get_cmap("tab10").colors, strict=False):  # type: ignore
            values = [row["psnr"] for row in result[way][name]]
            # Two of them are the same, and lie upon each other.
            size = 8 if way == BASE else 4
            ax.plot(config.steps, values, "o-", color=color, label=way, ms=size)
        ax.set(xlabel="steps of a full turn", ylabel="PSNR, dB", title=name)
        ax.set_xticks(config.steps)
    handles, labels = axes[0].get_legend_handles_labels()
    panels[1].legend(
        handles, labels, fontsize=8, ncols=len(WAYS), loc="outside lower center"
    )
    names = [way for way in WAYS if way.startswith("warp")]
    axes[-1].barh(names, [slower(result, way) for way in names], color="0.6")
    axes[-1].invert_yaxis()
    axes[-1].set_title("time of a step over bicubic grid_sample", size=10)
    axes[-1].tick_params(labelsize=8)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=100)
    plt.close(drawing)


def _draw_images(axes: Any, config: Config, result: dict[str, Any]) -> None:
    """A part of the first photograph, turned in the most steps."""
    name, steps = config.photographs[0], config.steps[-1]
    half = config.pixels // 5
    part = slice(config.pixels // 2 - half, config.pixels // 2 + half)
    images = {"original": photograph(name, config.pixels)}
    for way in SHOWN:
        found = result[way][name][-1]["psnr"]
        images[f"{way}\n{found:.1f} dB"] = turned(way, name, steps, config)[0]
    for ax, (title, image) in zip(axes, images.items(), strict=True):
        ax.imshow(image[0, 0, part, part].numpy(), cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, size=9)
