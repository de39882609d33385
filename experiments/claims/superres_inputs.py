"""The network that ships is above cubic resizing on text and line art, too.

Photographs are not all that is enlarged. Pages of text, charts and outlines, drawn in
fonts that the network has not seen; straight lines at seven angles, and how far paper
beside them is from what it was; and photographs that were JPEGs before they are
enlarged, where the network magnifies what the JPEG did. Beside it cubic resizing; for
JPEGs also after total-variation denoising in the strength that is best for the
original, which nobody knows who has the JPEG alone.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from skimage.restoration import denoise_tv_chambolle
from torch import Tensor

from contconv import resize
from contconv.metrics import psnr
from contconv.models.superres.network import load
from experiments.shared.benchmarks import Scales, numbered, pairs
from experiments.shared.png import as_pixels, as_text
from experiments.shared.rivals import cubic
from training.superres.degradations import jpeg
from training.superres.drawings import drawings

Enlarge = Callable[[Tensor, tuple[int, int]], Tensor]

NET, CUBIC, DENOISED = "net", "cubic", "denoised, cubic"
PAPER, INK = 230 / 255, 20 / 255
STRENGTHS = (0.003, 0.006, 0.01, 0.02, 0.04)
_SHOWN_SIDE = 96
# Of two pages of text, and of one of lines.
_SEEDS = (8, 1, 3)


@dataclass(frozen=True)
class Config:
    """What is measured on what."""

    pages: int = 8
    scales: tuple[int, ...] = (2, 3, 4)
    angles: tuple[int, ...] = (0, 10, 22, 45, 60, 85, 90)
    qualities: tuple[int, ...] = (40, 75, 90)
    sets: tuple[tuple[str, int | None], ...] = (("Set5 unseen", None), ("B100", 20))


QUICK = Config(pages=1, scales=(2,), angles=(22,), qualities=(40,), sets=(("Set5", 1),))


def run(config: Config) -> dict[str, Any]:
    """PSNR on pages and JPEGs, halos beside lines, and what it looks like."""
    net = load()
    pages = [page[None].float() / 255 for page in drawings(config.pages, held_out=True)]
    how: dict[str, Enlarge] = {CUBIC: cubic, NET: lambda x, size: net(x, size=size)}
    with torch.no_grad():
        return {
            "pages": [
                {"scale": scale, **_pages(how, pages, scale)}
                for scale in track(config.scales, "pages")
            ],
            "halos": [
                {"angle": angle, **{n: halo(f, angle) for n, f in how.items()}}
                for angle in config.angles
            ],
            "jpegs": [
                {"set": part, "quality": quality, **_jpegs(how, part, count, quality)}
                for part, count in config.sets
                for quality in track(config.qualities, f"JPEGs of {part}")
            ],
            "crops": list(_crops(how)),
            "whole": config == Config(),
        }


def _pages(
    how: dict[str, Enlarge], pages: list[Tensor], scale: int
) -> dict[str, float]:
    """The mean PSNR of the pages, of Y."""
    found: dict[str, list[float]] = {name: [] for name in how}
    for page in pages:
        large = page[..., : 504 // scale * scale, : 504 // scale * scale]
        small = _small(large, scale)
        for name, enlarge in how.items():
            found[name].append(_psnr(enlarge(small, _size(large)), large, scale))
    return {name: sum(values) / len(values) for name, values in found.items()}


def halo(enlarge: Enlarge, angle: float, scale: int = 2) -> float:
    """How far paper is from its grey level beside a line, in levels of 255.

    Of a line three pixels wide that was made small and enlarged again: the largest
    difference at two to twelve pixels from its edge.
    """
    side, turn = 120, math.radians(angle)
    at = torch.arange(side) - side / 2 + 0.3
    distance = (at[:, None] * math.cos(turn) + at * math.sin(turn)).abs() - 1.5
    large = (PAPER + (INK - PAPER) * (0.5 - distance).clamp(0, 1)).expand(1, 3, -1, -1)
    large = (large * 255).round() / 255
    made = enlarge(_small(large, scale), (side, side)).clamp(0, 1)
    beside = ((distance > 2) & (distance < 12))[20:-20, 20:-20]
    apart = (made - large).abs().amax((0, 1))[20:-20, 20:-20]
    return 255 * apart[beside].max().item()


def _jpegs(
    how: dict[str, Enlarge], part: str, count: int | None, quality: int
) -> dict[str, float]:
    """The mean PSNR, of Y, of a set that was JPEGs of half its size."""
    names = (*how, DENOISED)
    found: dict[str, list[float]] = {name: [] for name in names}
    for pair in pairs(part, (2, 2), pictures=count):
        small, size = _jpeg(pair.small, quality), _size(pair.large)
        made = {name: enlarge(small, size) for name, enlarge in how.items()}
        for name, image in made.items():
            found[name].append(_psnr(image, pair.large, 2))
        found[DENOISED].append(
            max(
                _psnr(cubic(_denoised(small, strength), size), pair.large, 2)
                for strength in STRENGTHS
            )
        )
    return {name: sum(values) / len(values) for name, values in found.items()}


def _crops(how: dict[str, Enlarge]) -> Iterator[dict[str, Any]]:
    """Parts of photographs, of a page and of a JPEG, as they were and are made."""
    text, large_text, lines = (
        drawings(1, seed=seed, held_out=True)[0][None].float() / 255 for seed in _SEEDS
    )
    squares: tuple[tuple[str, Scales, Tensor, int], ...] = (
        ("photograph", (2, 2), numbered("Set5", 2, (2, 2)).large, 0),
        ("photograph", (3.3, 3.3), numbered("B100", 6, (3.3, 3.3)).large, 0),
        ("photograph", (8, 8), numbered("Set5", 3, (8, 8)).large, 0),
        ("text", (2, 2), text, 0),
        ("text", (4, 4), large_text, 0),
        ("line art", (3.3, 3.3), lines, 0),
        ("JPEG 40", (2, 2), numbered("Set5", 2, (2, 2)).large, 40),
    )
    for name, scales, large, quality in squares:
        large = large[..., : large.shape[2] // 8 * 8, : large.shape[3] // 8 * 8]
        small = resize(
            (large * 255).round().to(torch.uint8),
            size=[round(n / s) for n, s in zip(large.shape[2:], scales, strict=True)],
        )
        small = small.float() / 255
        small = _jpeg(small, quality) if quality else small
        made = {n: enlarge(small, _size(large)) for n, enlarge in how.items()}
        images = {"original": large, **made}
        top, left = ((n - _SHOWN_SIDE) // 2 for n in large.shape[2:])
        place = (..., slice(top, top + _SHOWN_SIDE), slice(left, left + _SHOWN_SIDE))
        yield {
            "what": f"{name}, x{scales[0]:g}",
            "psnr": {
                n: psnr(i[place].clamp(0, 1), large[place], luma=True).item()
                for n, i in made.items()
            },
            "images": {n: as_text(i[place].clamp(0, 1)) for n, i in images.items()},
        }


def _small(large: Tensor, scale: int) -> Tensor:
    levels = (large * 255).round().to(torch.uint8)
    size = [side // scale for side in large.shape[2:]]
    return resize(levels, size=size).float() / 255


def _jpeg(small: Tensor, quality: int) -> Tensor:
    return jpeg((small[0] * 255).round().to(torch.uint8), quality)[None].float() / 255


def _denoised(small: Tensor, strength: float) -> Tensor:
    pixels = small[0].permute(1, 2, 0).numpy()
    smooth = denoise_tv_chambolle(pixels, strength, channel_axis=2)
    return torch.from_numpy(smooth.astype(np.float32)).permute(2, 0, 1)[None]


def _size(image: Tensor) -> tuple[int, int]:
    return image.shape[2], image.shape[3]


def _psnr(made: Tensor, large: Tensor, shave: int) -> float:
    made = (made.clamp(0, 1) * 255).round() / 255
    return psnr(made, large, shave=shave, luma=True).item()


def check(result: dict[str, Any]) -> None:
    """Above cubic resizing on pages, nearer to the paper beside lines on the whole."""
    for row in result["pages"]:
        assert row[NET] > row[CUBIC] + 1, row
    if result["whole"]:
        mean = {n: sum(row[n] for row in result["halos"]) for n in (NET, CUBIC)}
        assert mean[NET] < mean[CUBIC], mean
    for row in result["jpegs"]:
        assert row[DENOISED] > row[CUBIC] - 0.5, row


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    pages = ", ".join(
        f"{row[NET]:.2f} ({row[NET] - row[CUBIC]:+.2f}) at {row['scale']}"
        for row in result["pages"]
    )
    worst = {n: max(row[n] for row in result["halos"]) for n in (NET, CUBIC)}
    rows = [
        ("`contconv upscale` on text and line art, dB (over cubic)", "—", pages),
        (
            "paper beside a line at 2: levels of 255 that it is off, at worst",
            "—",
            f"{worst[NET]:.0f} (cubic {worst[CUBIC]:.0f})",
        ),
    ]
    for part in dict.fromkeys(row["set"] for row in result["jpegs"]):
        said = ", ".join(
            f"{row[NET]:.2f} ({row[NET] - row[CUBIC]:+.2f}; denoised "
            f"{row[DENOISED] - row[CUBIC]:+.2f}) at quality {row['quality']}"
            for row in result["jpegs"]
            if row["set"] == part
        )
        rows.append((f"JPEGs of {part} at 2, dB (over cubic)", "—", said))
    return rows


def plot(record: dict[str, Any], figure: Path) -> None:
    """A row of images for each crop."""
    import matplotlib.pyplot as plt

    rows, names = record["result"]["crops"], ("original", CUBIC, NET)
    drawing, axes = plt.subplots(
        len(names),
        len(rows),
        figsize=(2.2 * len(rows), 2.4 * len(names)),
        squeeze=False,
        layout="constrained",
    )
    for column, row in zip(axes.T, rows, strict=True):
        for axis, name in zip(column, names, strict=True):
            axis.imshow(as_pixels(row["images"][name]), interpolation="nearest")
            known = row["psnr"].get(name)
            label = row["what"] if known is None else f"{name}, {known:.2f} dB"
            axis.set_title(label, fontsize=9)
            axis.set_axis_off()
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
