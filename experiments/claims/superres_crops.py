"""Crops: what one network for all scales makes of edges and textures, beside others.

Parts of two pictures that were made small by `contconv.resize`, and enlarged again to
where they were: by cubic resizing, by a pixel shuffle by 4 whose output is resized, by
LIIF, and by the continuous network. All of the same encoder, training and steps, as in
`superres`; PSNR is that of the crop.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from contconv.metrics import psnr
from experiments.shared import enlargers as _enlargers
from experiments.shared.benchmarks import Scales, numbered
from experiments.shared.enlargers import CUBIC, FIXED, LIIF, OURS, Setting
from experiments.shared.png import as_pixels, as_text

SHOWN = (CUBIC, FIXED, LIIF, OURS)
ORIGINAL = "original"


@dataclass(frozen=True)
class Crop:
    """A part of a picture, and the scale by which it is made small and enlarged."""

    part: str
    number: int
    scales: Scales
    top: int
    left: int


@dataclass(frozen=True)
class Config:
    """The networks, and what is shown of which pictures."""

    setting: Setting = field(default_factory=Setting)
    crops: tuple[Crop, ...] = (
        Crop("Set5", 2, (2.5, 2.5), 70, 90),
        Crop("B100", 6, (3.3, 3.3), 110, 270),
        Crop("B100", 10, (2, 3.5), 190, 30),
    )
    side: int = 100


QUICK = Config(
    setting=_enlargers.QUICK, crops=(Crop("Set5", 2, (2, 2), 20, 20),), side=40
)


def run(config: Config) -> dict[str, Any]:
    """Each crop as it was, and as each network makes it."""
    models = {name: _enlargers.trained(name, config.setting) for name in SHOWN}
    found = []
    for crop in config.crops:
        pair = numbered(crop.part, crop.number, crop.scales)
        height, width = pair.large.shape[2:]
        place = (
            ...,
            slice(crop.top, crop.top + config.side),
            slice(crop.left, crop.left + config.side),
        )
        original = pair.large[place]
        row: dict[str, Any] = {"scales": list(crop.scales), "psnr": {}, "images": {}}
        row["images"][ORIGINAL] = as_text(original)
        for name, model in models.items():
            with torch.no_grad():
                made = model(pair.small, size=(height, width))[place].clamp(0, 1)
            row["psnr"][name] = psnr(made, original, luma=True).item()
            row["images"][name] = as_text(made)
        found.append(row)
    return {"crops": found, "steps": config.setting.steps}


def check(result: dict[str, Any]) -> None:
    """Nearer to the original than cubic resizing; sharper than what was made x4."""
    for row in result["crops"]:
        assert all(5 < value < 60 for value in row["psnr"].values())
        if result["steps"] >= 100:
            assert row["psnr"][OURS] > row["psnr"][CUBIC]


def plot(record: dict[str, Any], figure: Path) -> None:
    """A row of images for each crop."""
    import matplotlib.pyplot as plt

    rows, names = record["result"]["crops"], (ORIGINAL, *SHOWN)
    drawing, axes = plt.subplots(
        len(rows),
        len(names),
        figsize=(2.4 * len(names), 2.75 * len(rows)),
        squeeze=False,
        layout="constrained",
    )
    for line, row in zip(axes, rows, strict=True):
        for axis, name in zip(line, names, strict=True):
            axis.imshow(as_pixels(row["images"][name]), interpolation="nearest")
            known = row["psnr"].get(name)
            label = name if known is None else f"{name}, {known:.2f} dB"
            axis.set_title(label, fontsize=9)
            axis.set_axis_off()
        y, x = row["scales"]
        line[0].set_title(
            f"original; by {y:g}" + ("" if x == y else f" x {x:g}"), fontsize=9
        )
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
