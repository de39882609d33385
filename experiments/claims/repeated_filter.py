"""Fig. 6: filtered again and again, a cross stays in place only if filters are centred.

A discrete filter of 4x4 has its centre between two pixels, and its output on one of
them: the image moves by half a pixel each time. The same Gaussian as a continuous
kernel is sampled at the distances of the pixels, the edges of its support included, and
the image stays where it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor

from contconv import continuous_conv
from contconv.kernels import GaussianKernel
from contconv.metrics import drift

Filter = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Config:
    """The image and the filter, in pixels; the arms are those of the cross."""

    pixels: int = 141
    arms: int = 21
    thickness: int = 3
    variance: float = 1.0
    steps: int = 50
    shown: tuple[int, ...] = (0, 1, 5, 20, 50)


QUICK = Config(pixels=71, arms=11, steps=12, shown=(0, 1, 5, 12))

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def run(config: Config) -> dict[str, Any]:
    """How far the cross has moved after each step, (y, x) in pixels."""
    ways = {}
    cases = [(name, dtype) for dtype in DTYPES for name in ("continuous", "discrete")]
    for name, dtype in track(cases, "filtering"):
        image = cross(config).to(DTYPES[dtype])
        way = drift(filters(config.variance)[name], image, config.steps)
        ways.setdefault(name, {})[dtype] = way.tolist()
    return ways


def cross(config: Config) -> Tensor:
    """A plus in the middle of the image, ``[1, 1, pixels, pixels]``."""
    place = (torch.arange(config.pixels) - (config.pixels - 1) / 2).abs()
    long, thick = place < config.arms / 2, place < config.thickness / 2
    return (torch.outer(long, thick) | torch.outer(thick, long)).double()[None, None]


def filters(variance: float) -> dict[str, Filter]:
    """The same Gaussian of 4x4, continuous and discrete."""
    kernel = GaussianKernel(variance, (4, 4))
    line = torch.arange(4, dtype=torch.float64) - 1.5
    taps = kernel(torch.stack(torch.meshgrid(line, line, indexing="ij"), -1))[..., 0, 0]

    def discrete(image: Tensor) -> Tensor:
        # What nn.Conv2d(padding="same") does: the odd pixel goes to the end.
        return F.conv2d(F.pad(image, (1, 2, 1, 2)), taps[None, None].to(image))

    return {
        "discrete": discrete,
        "continuous": lambda image: continuous_conv(image, kernel),
    }


def check(result: dict[str, Any]) -> None:
    """The continuous filter drifts by less than 1e-6 pixel, the discrete by steps/2."""
    for dtype in DTYPES:
        assert farthest(result["continuous"][dtype]) < 1e-6, dtype
        for step, (y, x) in enumerate(result["discrete"][dtype]):
            assert abs(y + step / 2) < 1e-3 and abs(x + step / 2) < 1e-3, (step, y, x)


def farthest(way: list[list[float]]) -> float:
    """The largest move along an axis after any step."""
    return max(abs(part) for place in way for part in place)


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The rows of the table."""
    found = {name: farthest(result["continuous"][name]) for name in DTYPES}
    last = result["discrete"]["float64"][-1]
    steps = len(result["discrete"]["float64"]) - 1
    what = f"drift after {steps} 4x4 filters (Fig. 6)"
    ours = f"{found['float64']:.0e} pixel (float32: {found['float32']:.0e})"
    return [
        (f"{what}: CC", "none", ours),
        (f"{what}: discrete", "moves away", f"{-last[0]:.2f} pixels along each axis"),
    ]


def plot(record: dict[str, Any], figure: Path) -> None:
    """The image after some steps, in a row for each filter; the way of its centre."""
    import matplotlib.pyplot as plt

    config, result = Config(**record["config"]), record["result"]
    # It is the first thing in README, where a phone shows it 340 pixels wide.
    drawing = plt.figure(figsize=(6.6, 5.6), layout="constrained")
    panels: Any = drawing.subfigures(2, 1, height_ratios=(1.2, 1))
    pictures, curves = panels
    named = filters(config.variance)
    axes = pictures.subplots(len(named), len(config.shown))
    for row, (name, operator) in zip(axes, named.items(), strict=True):
        _draw_images(row, name, operator, config)
    _draw_ways(curves.subplots(1, 2), result)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def _draw_images(axes: Any, name: str, operator: Filter, config: Config) -> None:
    """The middle of the image after the steps shown, each at its own brightness."""
    image, step, middle = cross(config), 0, (config.pixels - 1) / 2
    half = config.steps / 2 + config.arms / 2 + 3
    named = {0: "start", 1: "once"}
    for ax, wanted in zip(axes, config.shown, strict=True):
        while step < wanted:
            image, step = operator(image), step + 1
        ax.imshow(image[0, 0].numpy(), cmap="gray", vmin=0)
        ax.axhline(middle, color="tab:red", lw=0.7)
        ax.axvline(middle, color="tab:red", lw=0.7)
        ax.set(xlim=(middle - half, middle + half), ylim=(middle + half, middle - half))
        ax.set(xticks=[], yticks=[])
        ax.set_title(named.get(wanted, f"{wanted} times"), size=13)
    axes[0].set_ylabel(name, size=13)


def _draw_ways(axes: Any, result: dict[str, Any]) -> None:
    left, right = axes
    for name, color in (("discrete", "tab:orange"), ("continuous", "tab:blue")):
        way = [-y for y, _ in result[name]["float64"]]
        left.plot(way, color=color, label=name)
    left.legend(fontsize=12)
    for dtype, style in zip(DTYPES, ("-", "--"), strict=True):
        way = [max(abs(y), abs(x)) for y, x in result["continuous"][dtype]]
        right.plot(way, style, color="tab:blue", label=dtype)
    right.axhline(1e-6, color="grey", ls=":", label="1e-6 pixel")
    right.set_yscale("symlog", linthresh=1e-16)
    right.set_yticks([0, 1e-16, 1e-12, 1e-8])
    right.legend(fontsize=12, title="continuous", title_fontsize=12)
    for ax in axes:
        ax.set_xlabel("times filtered", size=13)
        ax.tick_params(labelsize=11)
    left.set_ylabel("pixels off the centre", size=13)
