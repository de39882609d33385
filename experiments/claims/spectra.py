"""How much of each frequency a new kernel should have, for activations to keep scale.

Among independent normal coefficients of the cosines, whose variances may differ, those
are sought that let the activations of deep networks grow and shrink least, at all of
several scales, with and without ReLU. In wide networks this needs no chance: the
covariance of the activations goes from layer to layer by a formula (for ReLU the
arc-cosine kernel; Cho and Saul, 2009). One axis is enough: without ReLU, the growth of
the mean square in two dimensions is the square of that in one, so that the growth in
one axis is the growth of the root mean square in two.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from contconv._grid.grid import resized_axes
from contconv._grid.ratio import as_ratios
from contconv._grid.taps import axis_taps
from contconv.kernels.orthonormal_cosines import cosines


@dataclass(frozen=True)
class Config:
    """The widths of the kernels, and the networks in which they are tried."""

    widths: tuple[int, ...] = (2, 3, 4, 5, 6, 7)
    scales: tuple[float, ...] = (0.9, 0.95, 1, 1.04, 1.08, 1.11)
    layers: int = 20  # 0.9 ** 20 and 1.11 ** 20 are 1/8 and 8
    smallest: int = 8
    steps: int = 60


QUICK = Config(widths=(3,), scales=(0.9, 1, 1.1), layers=10, steps=40)


def run(config: Config) -> dict[str, Any]:
    """The best variances for each width; the growth with them, and with white ones."""
    found = {}
    for width in config.widths:
        networks = [network(width, scale, config) for scale in config.scales]
        log = torch.zeros(width, dtype=torch.float64, requires_grad=True)
        before = growth(networks, log.exp())
        # First the sum of all, then more and more the worst.
        for power, rate in ((4, 0.02), (12, 0.007), (40, 0.002)):
            optimizer = torch.optim.Adam([log], lr=rate)
            for _ in track(range(config.steps), f"width {width}"):
                loss = growth(networks, log.exp()).log().abs().pow(power).mean()
                optimizer.zero_grad()
                loss.pow(1 / power).backward()
                optimizer.step()
        after = growth(networks, log.exp())
        found[str(width)] = {
            "spectrum": [round(value, 3) for value in log.exp().tolist()],
            "white": before.tolist(),
            "growth": after.tolist(),
        }
        print(width, found[str(width)]["spectrum"], worst(before), worst(after))
    return found


def check(result: dict[str, Any]) -> None:
    """Kernels of 3 pixels and more stay within a factor of 2.1, and gain by it."""
    for width, row in result.items():
        found, white = (worst(torch.tensor(row[key])) for key in ("growth", "white"))
        assert found < white, (width, row)
        assert width == "2" or found < 2.1, (width, row)


def plot(record: dict[str, Any], figure: Path) -> None:
    """The growth with white and with the found spectra, by width."""
    import matplotlib.pyplot as plt

    drawing, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
    for i, (key, color) in enumerate((("white", "grey"), ("growth", "tab:blue"))):
        for width, row in record["result"].items():
            values = torch.tensor(row[key])[..., -1].flatten().tolist()
            places = [int(width) + (i - 0.5) * 0.2] * len(values)
            label = {"white": "white", "growth": "found"}[key] if width == "3" else None
            ax.plot(places, values, "o", ms=4, alpha=0.6, color=color, label=label)
    ax.axhspan(0.5, 2, color="grey", alpha=0.12)
    ax.set(
        yscale="log", xlabel="width of the kernel", ylabel="growth through the layers"
    )
    ax.legend()
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def network(width: int, scale: float, config: Config) -> list[Tensor]:
    """One matrix ``[out, in, width]`` a layer: the weight of each cosine."""
    size = max(config.smallest, round(config.smallest * scale**-config.layers))
    matrices = []
    for _ in range(config.layers):
        (axis,) = resized_axes([size], [width], as_ratios(scale, 1), None)
        source, distance, weight = axis_taps(axis, "circular", torch.float64, None)
        basis = cosines(distance, width, width) * weight[..., None]
        matrix = basis.new_zeros(axis.out_size, size, width)
        row = torch.arange(axis.out_size)[:, None].expand_as(source)
        matrices.append(matrix.index_put((row, source), basis, accumulate=True))
        size = axis.out_size
    return matrices


def growth(networks: list[list[Tensor]], spectrum: Tensor) -> Tensor:
    """Mean square over the input's: ``[networks, (linear, ReLU), (middle, end)]``."""
    rows = []
    for matrices in networks:
        scaled = [matrix * (spectrum / len(spectrum)).sqrt() for matrix in matrices]
        for relu in (False, True):
            covariance = torch.eye(scaled[0].shape[1], dtype=torch.float64)
            powers = []
            for matrix in scaled:
                half = torch.einsum("nmr,mp->npr", matrix, covariance)
                covariance = torch.einsum("npr,opr->no", half, matrix)
                covariance = _relu(covariance) if relu else covariance
                powers.append(covariance.diagonal().mean())
            rows.append(torch.stack([powers[len(powers) // 2 - 1], powers[-1]]))
    return torch.stack(rows).unflatten(0, (-1, 2))


def _relu(covariance: Tensor) -> Tensor:
    """The covariance after ReLU and a gain of 2; the diagonal stays."""
    power = covariance.diagonal()
    size = (power[:, None] * power).sqrt()
    off = ~torch.eye(len(power), dtype=torch.bool)
    cosine = (covariance / size).clamp(-1 + 1e-9, 1 - 1e-9)
    angle = torch.acos(cosine)
    mapped = size * (angle.sin() + (math.pi - angle) * cosine) / math.pi
    return torch.where(off, mapped, covariance)


def worst(growth: Tensor) -> float:
    """The largest growth or shrinkage at the end, as a factor."""
    return growth[..., -1].log().abs().max().exp().item()
