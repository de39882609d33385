"""Enlarged by continuous layers, edges are sharper than from cubic resizing.

The same parts of two pictures, at two scales, from the networks that `superres`
compares: the picture itself, cubic resizing, a pixel shuffle by 4 whose result is
resized, LIIF, and the continuous layer; below each the PSNR of the whole picture.
"""

import base64
import io
import math
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from contconv.metrics import psnr
from experiments import _enlargers
from experiments._benchmarks import Pair, numbered
from experiments._enlargers import CUBIC, FIXED, LIIF, OURS, Setting


@dataclass(frozen=True)
class Config:
    """The networks, the parts of pictures, and the scales.

    Attributes:
        setting: The networks'.
        networks: In the order of the columns.
        parts: The set, the number of the picture, and the first row and column.
        scales: The same on both axes.
        side: Pixels of a part.
    """

    setting: Setting = _enlargers.FULL
    networks: tuple[str, ...] = (CUBIC, FIXED, LIIF, OURS)
    parts: tuple[tuple[str, int, int, int], ...] = (
        ("Set5 unseen", 2, 96, 80),
        ("B100", 0, 100, 200),
    )
    scales: tuple[float, ...] = (2.5, 4)
    side: int = 56


QUICK = Config(setting=_enlargers.QUICK, networks=(CUBIC, OURS), scales=(4,), side=32)


def run(config: Config) -> dict[str, Any]:
    """Enlarge and cut out."""
    networks = {n: _enlargers.trained(n, config.setting) for n in config.networks}
    return {
        "rows": [
            row(config, networks, part, scale)
            for part, scale in product(config.parts, config.scales)
        ],
        "setting": asdict(config.setting),
    }


def row(
    config: Config,
    networks: dict[str, nn.Module],
    part: tuple[str, int, int, int],
    scale: float,
) -> dict[str, Any]:
    """One part at one scale, from each network, and as it is."""
    name, number, top, left = part
    pair = numbered(name, number, (scale, scale))
    inside = (0, slice(None), *(slice(i, i + config.side) for i in (top, left)))
    made = {name: enlarged(model, pair) for name, model in networks.items()}
    return {
        "set": name,
        "number": number,
        "scale": scale,
        "as it is": as_text(pair.large[inside]),
        "made": {
            name: {
                "psnr": psnr(one, pair.large, shave=math.ceil(scale), luma=True).item(),
                "part": as_text(one[inside]),
            }
            for name, one in made.items()
        },
    }


@torch.no_grad()
def enlarged(model: nn.Module, pair: Pair) -> Tensor:
    """In 8 bits, values in 0..1."""
    height, width = pair.large.shape[2:]
    made = model(pair.small, size=(height, width)).clamp(0, 1)
    return (made * 255).round() / 255


def as_text(image: Tensor) -> str:
    """A PNG file in letters."""
    array = (image * 255).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def as_image(text: str) -> Image.Image:
    """What `as_text` wrote."""
    return Image.open(io.BytesIO(base64.b64decode(text)), formats=("PNG",))


def check(result: dict[str, Any]) -> None:
    """The continuous layer is nearer to each picture than cubic resizing."""
    if result["setting"]["steps"] < 100:
        return
    for row in result["rows"]:
        made = row["made"]
        assert made[OURS]["psnr"] > made[CUBIC]["psnr"], (row["set"], row["scale"])


def plot(record: dict[str, Any], figure: Path) -> None:
    """A row for each part and scale, a column for each network."""
    import matplotlib.pyplot as plt

    rows = record["result"]["rows"]
    columns = 1 + len(rows[0]["made"])
    size = (2.1 * columns, 2.4 * len(rows))
    drawing, axes = plt.subplots(
        len(rows), columns, figsize=size, layout="constrained", squeeze=False
    )
    for line, row in zip(axes, rows, strict=True):
        texts = {f"{row['set']}, x{row['scale']:g}": row["as it is"]}
        for name, one in row["made"].items():
            texts[f"{name}: {one['psnr']:.2f} dB"] = one["part"]
        for ax, (label, text) in zip(line, texts.items(), strict=True):
            ax.imshow(as_image(text), interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.set_xlabel(label, size=8)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
