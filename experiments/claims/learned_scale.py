"""A scale that is learned finds a zoom; poor strides it mends only in part.

DiffStride learns strides that shrink; here a scale goes both ways, and its gradient by
way of the distances. First a task whose scale is known: a layer sees an image and what
another scale made of it, through the same kernel, and learns that scale alone, from 1.
Then a small classifier of CIFAR-10 whose first two layers have a scale of 1/4: fixed,
they leave 2 x 2 pixels; learned, all scales move. The same network with good scales is
the bar. The number of output pixels follows the scale, and has no gradient: what is
learned is how densely the middle of the image is looked at. All scales grow, one axis
often to the bound of 2, and yet most of what good strides gain is not made up for.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import nn
from torch.nn.functional import cross_entropy, interpolate

from contconv import ContinuousConv2d, LearnableScale
from experiments.shared import networks as _networks
from experiments.shared.networks import mean_and_deviation, stated
from experiments.shared.shrinking import (
    Classifier,
    Scales,
    multiply_adds,
    scales_now,
)
from training.batches import Batches, Normalized

WAYS = POOR, LEARNED, GOOD = "fixed, poor", "learned, from poor", "fixed, good"


@dataclass(frozen=True)
class Config:
    """The zooms to be found, and the classifier."""

    zooms: tuple[tuple[float, float], ...] = (
        (0.6, 1.5),
        (1.5, 0.6),
        (0.8, 0.7),
        (1.25, 1.4),
    )
    zoom_steps: int = 300
    channels: tuple[int, ...] = (16, 32, 32)
    poor: Scales = (0.25, 0.25, 0.5)
    good: Scales = (1.0, 0.5, 0.5)
    train_images: int = 10_000
    test_images: int = 5_000
    epochs: int = 8
    batch_size: int = 128
    rate: float = 5e-3
    scale_rate: float = 2e-2
    seeds: int = 3


QUICK = Config(
    zooms=((0.8, 1.2),),
    zoom_steps=200,
    channels=(4, 4),
    poor=(0.25, 0.5),
    good=(1.0, 0.5),
    train_images=128,
    test_images=50,
    epochs=1,
    batch_size=64,
    seeds=1,
)


def run(config: Config) -> dict[str, Any]:
    """The zooms found; accuracy in percent and scales, for each way to train."""
    zooms = [
        found_zoom(zoom, config.zoom_steps) for zoom in track(config.zooms, "zoom")
    ]
    return {"zooms": zooms, "runs": trained(config, "")}


def trained(
    config: Config, family: str, price: float = 0.0, ways: tuple[str, ...] = WAYS
) -> list[dict[str, Any]]:
    """Ways to train, each with every seed, for layers of a family.

    Args:
        config: The classifiers, and how they learn.
        family: Of `experiments.shared.shrinking`.
        price: Of the square of multiply-adds over the most that there can be, where
            scales are learned; in units of the cross entropy.
        ways: Which.
    """
    known = {
        POOR: (config.poor, False),
        LEARNED: (config.poor, True),
        GOOD: (config.good, False),
    }
    cases = [(way, seed) for way in ways for seed in range(config.seeds)]
    return [
        {"way": way, "seed": seed, **_trained(config, family, *known[way], seed, price)}
        for way, seed in track(cases, "training")
    ]


def found_zoom(zoom: tuple[float, float], steps: int) -> dict[str, Any]:
    """Learn a scale from what it made of an image; the way to it, step by step."""
    torch.manual_seed(0)
    image = interpolate(torch.rand(1, 1, 5, 5), size=48, mode="bicubic")
    options: dict[str, Any] = {"size": (24, 24), "kernel": "spline"}
    layer = ContinuousConv2d(1, 1, 5, scale=LearnableScale((1, 1)), **options)
    with torch.no_grad():
        wanted = layer(image, scale=zoom, size=(24, 24))
    scale = layer.learnable_scale
    assert scale is not None
    optimizer = torch.optim.Adam(scale.parameters(), 0.02)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    way = []
    for _ in range(steps):
        optimizer.zero_grad()
        (layer(image) - wanted).square().mean().backward()
        optimizer.step()
        decay.step()
        way.append(scale().tolist())
    return {"zoom": list(zoom), "way": way}


def _trained(
    config: Config,
    family: str,
    scales: Scales,
    learns: bool,
    seed: int,
    price: float,
) -> dict[str, Any]:
    """Accuracy and scales after each epoch."""
    torch.manual_seed(seed)
    model = Classifier(family, config.channels, scales, learns)
    sets = _networks.parts("cifar10", config.train_images, config.test_images)
    device = torch.device("cpu")
    train = Normalized(sets.train, sets.train, device)
    batches = Batches(train, config.batch_size, seed=seed)
    test = Normalized(sets.test, sets.train, device)
    optimizer = torch.optim.AdamW(_groups(model, config))
    steps = config.epochs * len(batches)
    rates = [config.rate, config.scale_rate][: len(optimizer.param_groups)]
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, steps, pct_start=0.1)
    accuracy, way = [], []
    for epoch in range(config.epochs):
        model.train()
        for step in range(len(batches)):
            images, labels = batches.batch(epoch, step, slice(None))
            optimizer.zero_grad()
            loss = cross_entropy(model(images), labels)
            if learns and price:
                loss = loss + price * multiply_adds(model).square()
            loss.backward()
            optimizer.step()
            plan.step()
        accuracy.append(_accuracy(model, test))
        way.append(scales_now(model))
    return {"accuracy": accuracy, "scales": way}


def _groups(model: nn.Module, config: Config) -> list[dict[str, Any]]:
    """The scales learn faster than the rest."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    scales = [p for n, p in named if "learnable_scale" in n]
    others = [p for n, p in named if "learnable_scale" not in n]
    own = [{"params": scales, "weight_decay": 0.0}] if scales else []
    return [{"params": others, "weight_decay": 0.05}, *own]


@torch.no_grad()
def _accuracy(model: nn.Module, images: Normalized) -> float:
    model.eval()
    right = sum(
        (model(part).argmax(1) == labels).sum().item()
        for part, labels in images.parts(500, 0, len(images))
    )
    return 100 * right / len(images)


def check(result: dict[str, Any]) -> None:
    """Every zoom is found to 1 %; with learned scales more is right than with poor."""
    assert worst_zoom(result) < 0.01
    if len(result["runs"]) > len(ways(result)):
        assert final(result, LEARNED) > final(result, POOR)


def worst_zoom(result: dict[str, Any]) -> float:
    """The largest relative error of a zoom found."""
    return max(
        abs(found / wanted - 1)
        for row in result["zooms"]
        for found, wanted in zip(row["way"][-1], row["zoom"], strict=True)
    )


def ways(result: dict[str, Any]) -> list[str]:
    """The ways to train that are there."""
    return [way for way in WAYS if any(row["way"] == way for row in result["runs"])]


def last(result: dict[str, Any], way: str) -> list[float]:
    """The accuracy at the end, of each seed."""
    return [row["accuracy"][-1] for row in result["runs"] if row["way"] == way]


def final(result: dict[str, Any], way: str) -> float:
    """The same, on average."""
    return mean_and_deviation(last(result, way))[0]


def mended(result: dict[str, Any]) -> float:
    """The share of what poor scales cost that learning makes up for."""
    poor, learned, good = (final(result, way) for way in (POOR, LEARNED, GOOD))
    return (learned - poor) / (good - poor) if good != poor else math.nan


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The rows of the table."""
    text = {way: f"{stated(last(result, way), '.1f')} %" for way in ways(result)}
    learned = [r for r in result["runs"] if r["way"] == LEARNED]
    first = ", ".join(f"{sum(s) / 2:.2f}" for s in learned[0]["scales"][-1])
    return [
        (
            "a scale that is learned: zooms found",
            "—",
            f"to {100 * worst_zoom(result):.2g} %, the worst of "
            f"{2 * len(result['zooms'])}",
        ),
        (
            "CIFAR-10 from poor first strides, small network",
            "—",
            "; ".join(f"{way}: {value}" for way, value in text.items())
            + f"; scales in the end, first seed: {first}",
        ),
    ]


def plot(record: dict[str, Any], figure: Path) -> None:
    """The way to each zoom; the scales and the accuracy, epoch by epoch."""
    import matplotlib.pyplot as plt

    result = record["result"]
    drawing, (zooms, scales, accuracy) = plt.subplots(
        1, 3, figsize=(11, 3.3), layout="constrained"
    )
    for i, row in enumerate(result["zooms"]):
        way = torch.tensor(row["way"])
        zooms.plot(way[:, 1], way[:, 0], color=f"C{i}")
        zooms.plot(*row["zoom"][::-1], "o", mfc="none", color=f"C{i}")
    zooms.plot(1, 1, "k.")
    zooms.set(xlabel="horizontal scale", ylabel="vertical scale")
    zooms.set_title("From 1, to the zoom (ring)", size=10)
    for row in result["runs"]:
        if row["way"] == LEARNED:
            way = torch.tensor([record["config"]["poor"]]).T
            found = torch.tensor(row["scales"]).mean(2).T
            for i, line in enumerate(torch.cat([way, found], 1)):
                label = f"layer {i + 1}" if row["seed"] == 0 else None
                scales.plot(range(len(line)), line, color=f"C{i}", label=label)
    scales.set(xlabel="epoch", ylabel="scale, mean of both axes", ylim=(0, None))
    scales.set_title("Learned on CIFAR-10", size=10)
    scales.legend(frameon=False, fontsize=8)
    for i, way in enumerate(ways(result)):
        for row in result["runs"]:
            if row["way"] == way:
                label = way if row["seed"] == 0 else None
                epochs = range(1, len(row["accuracy"]) + 1)
                accuracy.plot(epochs, row["accuracy"], color=f"C{i}", label=label)
    accuracy.set(xlabel="epoch", ylabel="test accuracy, %")
    accuracy.legend(frameon=False, fontsize=8)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
