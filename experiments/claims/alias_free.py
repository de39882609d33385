"""Layers and activations that do not alias let features move by any part of a pixel.

Networks of eight layers that shrink by 4 in all, not trained, at a circular border: the
images are moved by the phases of their frequencies, the features are moved back in the
same way, and compared with those of the images as they are (cosine similarity). What
one network loses beside the next is aliasing alone. It is also taken of what varies:
the mean of each map is subtracted first.

The last network activates between ideal filters, by Fourier: what is there to be
reached. Whether trained networks keep it is another question.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import alternate
from contconv import ContinuousConv2d
from contconv.kernels import ContinuousKernel, SplineKernel
from contconv.metrics import equivariance
from contconv.models import BaselineNet
from contconv.nn import AliasFree
from contconv.surgery.describe import cost_of
from experiments.shared import networks as _networks
from experiments.shared.shift_networks import RING, SIZES, bandlimited

Maps = Callable[[Tensor], Tensor]

# Another direction than those of the pixels' rows, too.
SLANT = 0.618


@dataclass(frozen=True)
class Config:
    """The networks, the images, and by how many pixels they are moved."""

    channels: int = 16
    images: int = 64
    seeds: int = 3
    shifts: tuple[float, ...] = (0.25, 0.5, 1, 1.5, 2, 3.3, 5, 8)
    timed: tuple[int, int, int] = (16, 64, 32)  # images, channels, pixels a side
    rounds: int = 15


QUICK = Config(
    channels=8, images=8, seeds=1, shifts=(0.5, 1), timed=(1, 8, 16), rounds=3
)


class Ideal(nn.Module):
    """ReLU at twice the pixels, between filters that let a frequency pass or not."""

    def forward(self, maps: Tensor) -> Tensor:
        """The activation of maps ``[n, c, side, side]``."""
        side = maps.shape[3]
        return resampled(resampled(maps, 2 * side).relu(), side)


def resampled(maps: Tensor, side: int) -> Tensor:
    """Maps at another size, with all frequencies that both sizes hold."""
    spectrum, before = torch.fft.rfft2(maps), maps.shape[3]
    most = (min(before, side) - 1) // 2
    kept = spectrum.new_zeros(*maps.shape[:2], side, side // 2 + 1)
    for rows in (slice(most + 1), slice(-most, None)):
        kept[:, :, rows, : most + 1] = spectrum[:, :, rows, : most + 1]
    return torch.fft.irfft2(kept, s=(side, side)) * (side / before) ** 2


def spline(inputs: int, outputs: int, scale: float) -> ContinuousKernel:
    """The kernel of the gradual networks."""
    return SplineKernel(inputs, outputs, (5, 5))


def free() -> nn.Module:
    """ReLU at twice the pixels."""
    return AliasFree(nn.ReLU(), padding_mode=RING["padding_mode"])


Parts = tuple[
    Callable[[int, int, float], ContinuousKernel] | None, Callable[[], nn.Module]
]

NETWORKS: dict[str, Parts] = {
    "strides of 2, ReLU": (None, nn.ReLU),
    "splines, ReLU": (spline, nn.ReLU),
    "splines, ReLU at twice the pixels": (spline, free),
    "band-limited, ReLU": (bandlimited, nn.ReLU),
    "band-limited, ReLU at twice the pixels": (bandlimited, free),
    "band-limited, ReLU between ideal filters": (bandlimited, Ideal),
}
PLAIN, OURS, IDEAL = (list(NETWORKS)[i] for i in (0, 4, 5))


def network(name: str, channels: int) -> nn.Sequential:
    """A new network, with the gain of ReLU and without biases."""
    kernel, activation = NETWORKS[name]
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(itertools.pairwise(SIZES)):
        inputs = channels if i else 3
        if kernel is None or before == after:
            stride = BaselineNet.strides[i] if kernel is None else 1
            options = {"stride": stride, "padding": 1, "bias": False, **RING}
            layer: nn.Module = nn.Conv2d(inputs, channels, 3, **options)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore
        else:
            made: Any = kernel(inputs, channels, after / before)
            made.reset_parameters(math.sqrt(2))
            options = {"size": after, "kernel": made, "bias": False, **RING}
            layer = ContinuousConv2d(inputs, channels, made.kernel_size, **options)
        layers += [layer, activation()]
    return nn.Sequential(*layers).eval()


def run(config: Config) -> dict[str, Any]:
    """Similarities for every network, seed and shift; and what both parts cost."""
    sets = _networks.images(_networks.QUICK)
    images = _networks.tested(sets, config.images)
    found = {
        name: [
            similarities(seeded(name, config, seed), images, config.shifts)
            for seed in range(config.seeds)
        ]
        for name in NETWORKS
    }
    return {"networks": found, "costs": costs(config)}


def seeded(name: str, config: Config, seed: int) -> nn.Sequential:
    """The network with this seed."""
    torch.manual_seed(seed)
    return network(name, config.channels)


def similarities(
    features: Maps, images: Tensor, shifts: tuple[float, ...]
) -> dict[str, list[float]]:
    """Of the whole maps and of what varies, for each shift."""
    found: dict[str, list[float]] = {"whole": [], "varying": []}
    for shift in shifts:
        alike = equivariance(features, images, (shift, SLANT * shift))
        found["whole"].append(alike.whole.mean().item())
        found["varying"].append(alike.varying.mean().item())
    return found


def costs(config: Config) -> dict[str, float]:
    """Multiply-adds over those of a strided convolution; time over ReLU's, finer."""
    n, channels, side = config.timed
    kernel = bandlimited(channels, channels, 1 / 2)
    layer = ContinuousConv2d(
        channels, channels, kernel.kernel_size, scale=1 / 2, kernel=kernel
    )
    convolution = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
    shapes = (1, channels, side, side), (1, channels, side // 2, side // 2)
    ours, theirs = (cost_of(one, *shapes) for one in (layer, convolution))
    maps, fine = torch.randn(n, channels, side, side), (2 * side, 2 * side)
    finer = torch.randn(n, channels, *fine)
    activation = free()
    calls = {"free": lambda: activation(maps), "relu": lambda: finer.relu()}
    with torch.no_grad():
        times = alternate(calls, config.rounds, least=0.01)
    return {
        "multiply_adds": ours / theirs,
        "activation": times["free"]["ms"] / times["relu"]["ms"],
    }


def worst(result: dict[str, Any], name: str, what: str) -> float:
    """The lowest similarity over the shifts, a mean over seeds."""
    return statistics.mean(min(seed[what]) for seed in result["networks"][name])


def check(result: dict[str, Any]) -> None:
    """Both parts together come next to what ideal filters give; strides do not."""
    plain, ours, ideal = (
        worst(result, name, "varying") for name in (PLAIN, OURS, IDEAL)
    )
    assert ideal >= ours > 0.99 > plain, (plain, ours, ideal)


def rows(result: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """For each network: its name, and the worst similarities."""
    for name in NETWORKS:
        values = (worst(result, name, what) for what in ("whole", "varying"))
        yield (name, *(f"{value:.4f}" for value in values))  # type: ignore


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    claim = "Features at the worst of 8 fractional shifts, not trained, {}"
    said = {PLAIN: "", OURS: "true shift-equivariance"}
    return [
        (claim.format(name), said.get(name, ""), f"{whole}; {varying} of what varies")
        for name, whole, varying in rows(result)
    ]


def plot(record: dict[str, Any], figure: Path) -> None:
    """What is amiss, over the shifts: a panel for whole maps and for what varies."""
    import matplotlib.pyplot as plt

    result, shifts = record["result"], record["config"]["shifts"]
    drawing, axes = plt.subplots(
        1, 2, figsize=(9.4, 3.6), sharey=True, layout="constrained"
    )
    for ax, what in zip(axes, ("whole", "varying"), strict=True):
        for name, seeds in result["networks"].items():
            values = torch.tensor([seed[what] for seed in seeds]).double().mean(0)
            ax.semilogy(shifts, 1 - values, "o-", ms=3, label=name)
        ax.set(xlabel="shift, pixels", title=f"{what} maps")
    axes[0].set_ylabel("1 - similarity")
    place: Any = "outside right"  # which matplotlib's types do not know
    drawing.legend(*axes[0].get_legend_handles_labels(), loc=place, fontsize=8)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
