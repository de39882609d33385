"""Shrinking gradually, features of splines move with the image better than at once.

Three layers halve the image: one by 1/2 and two that keep the size, two by the square
root of 1/2, or three by its cube root; with splines and with cosines. And ordinary
convolutions, the last with a stride of 2. Each is trained with a linear classifier on
the mean of its features. What shrinks early also has fewer pixels to compute.

The paper's measure counts whatever does not move, too: ordinary convolutions come close
to 1, since their features are mostly a constant, and classify worst.
"""

import itertools
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import nn

from contconv import ContinuousConv2d
from contconv.metrics import shift_equivariance
from experiments.shared import networks as _networks
from experiments.shared.costs import multiply_adds, time_per_image
from training.loop import Recipe, fit


@dataclass(frozen=True)
class Config:
    """The networks, their training, and the shifts."""

    channels: int = 16
    epochs: int = 4
    lr: float = 3e-3
    train_images: int = 6000
    test_images: int = 2000
    seeds: int = 3
    max_shifts: tuple[int, ...] = (1, 2, 3, 4)
    images: int = 500
    timed_images: int = 64
    rounds: int = 9


QUICK = Config(
    channels=4,
    epochs=1,
    train_images=256,
    test_images=50,
    seeds=1,
    images=30,
    timed_images=4,
    rounds=3,
)

CONV = "stride of 2"

# The scales of the three layers.
SCALES: dict[str, tuple[float, ...]] = {
    "one by 1/2": (1, 1, 1 / 2),
    "two by the square root": (1, 0.5 ** (1 / 2), 0.5 ** (1 / 2)),
    "three by the cube root": (0.5 ** (1 / 3),) * 3,
}

# Widths that have as many parameters as 3x3 filters.
KERNELS = {"spline": 5, "cosine": 3}

NAMES = (CONV, *(f"{way}, {kernel}s" for kernel in KERNELS for way in SCALES))


class HalvingNet(nn.Module):
    """Three layers that halve an image, and a classifier on the mean of each map."""

    def __init__(self, channels: int, name: str) -> None:
        super().__init__()
        layers = [
            _layer(name, 3 if i == 0 else channels, channels, i) for i in range(3)
        ]
        if isinstance(layers[-1], ContinuousConv2d):
            layers[-1].size = 16
        self.features = nn.Sequential(*(p for one in layers for p in (one, nn.ReLU())))
        self.classifier = nn.Linear(channels, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images).mean((2, 3)))


def _layer(name: str, inputs: int, outputs: int, number: int) -> nn.Module:
    if name == CONV:
        stride = 2 if number == 2 else 1
        return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
    way, kernel = name.removesuffix("s").split(", ")
    scale = SCALES[way][number]
    return ContinuousConv2d(
        inputs, outputs, KERNELS[kernel], scale=scale, kernel=kernel
    )


def run(config: Config) -> dict[str, Any]:
    """Train each with every seed; similarity, accuracy and costs."""
    sets = _networks.parts("cifar10", config.train_images, config.test_images)
    images = _networks.tested(sets, config.images)
    found = []
    cases = [(name, seed) for seed in range(config.seeds) for name in NAMES]
    for name, seed in track(cases, "networks"):
        torch.manual_seed(seed)
        model = HalvingNet(config.channels, name)
        recipe = Recipe(config.epochs, lr=config.lr, seed=seed)
        history = fit(model, sets, recipe, progress=False)
        row = {"name": name, "seed": seed, "loss": history[-1]["loss"]}
        row["accuracy"] = 100 * history[-1]["test_accuracy"]
        row["similarity"] = [
            similarity(model.eval(), images, r) for r in config.max_shifts
        ]
        found.append(row)
    return {
        "networks": found,
        "costs": costs(config),
        "max_shifts": list(config.max_shifts),
        "epochs": config.epochs,
    }


def similarity(model: HalvingNet, images: torch.Tensor, max_shift: int) -> float:
    """As in Table 1, for maps of half the size."""
    values = shift_equivariance(
        model.features,
        images,
        max_shift,
        scale=0.5,
        generator=torch.Generator().manual_seed(max_shift),
    )
    return values.mean().item()


def costs(config: Config) -> dict[str, dict[str, float]]:
    """Multiply-adds and milliseconds for an image."""
    models = {name: HalvingNet(config.channels, name) for name in NAMES}
    times = time_per_image(models, config.timed_images, config.rounds)
    return {
        name: {"multiply_adds": multiply_adds(model), "milliseconds": times[name]}
        for name, model in models.items()
    }


def means(result: dict[str, Any], name: str) -> list[float]:
    """The similarity at each shift, over the seeds."""
    rows = [row["similarity"] for row in result["networks"] if row["name"] == name]
    return [statistics.mean(values) for values in zip(*rows, strict=True)]


def check(result: dict[str, Any]) -> None:
    """With splines, the more gradual, the more alike, at every shift."""
    for row in result["networks"]:
        assert all(0 < value <= 1 for value in row["similarity"])
        assert result["epochs"] == 1 or row["accuracy"] > 20
    if result["epochs"] > 1:
        ways = [means(result, f"{way}, splines") for way in SCALES]
        for abrupt, gradual in itertools.pairwise(ways):
            assert all(a < b for a, b in zip(abrupt, gradual, strict=True))


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    each = [f"{statistics.mean(means(result, name)):.4f} ({name})" for name in NAMES]
    ours = "similarity " + ", ".join(each)
    return [("Gradual against abrupt", "gradual is more equivariant", ours)]


def plot(record: dict[str, Any], figure: Path) -> None:
    """Similarity over the shift, and over the cost."""
    import matplotlib.pyplot as plt

    result = record["result"]
    drawing, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
    for i, name in enumerate(NAMES):
        rows = [row for row in result["networks"] if row["name"] == name]
        left.plot(result["max_shifts"], means(result, name), "o-", ms=4, label=name)
        cost = result["costs"][name]["multiply_adds"] / 1e6
        for row in rows:
            left.plot(
                result["max_shifts"],
                row["similarity"],
                color=f"C{i}",
                lw=0.6,
                alpha=0.5,
            )
            right.plot(cost, statistics.mean(row["similarity"]), "o", color=f"C{i}")
    left.set(xlabel="largest shift, pixels", ylabel="similarity of the feature maps")
    left.set_xticks(result["max_shifts"])
    drawing.legend(fontsize=8, loc="outside lower center", ncols=3)
    right.set(xlabel="multiply-adds of an image, millions", ylabel="mean similarity")
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
