"""Trained without aliasing, features move by any part of a pixel, and classes stay.

Classifiers of CIFAR-10, trained alike: the gradual network with splines, the same
layers with strides of 2, those with BlurPool (Zhang, 2019), and ours, band-limited with
activations at twice the pixels; and a residual network as it is, with BlurPool, and as
`convert(model, antialias=True)` makes it. The border is circular. How alike the
features of moved images are, moved back by the phases of their frequencies; how often
the class stays, for images moved by fractions of pixels and for two cut-outs of a
photograph; and the paper's own protocol beside its ceiling.

The networks are small and trained briefly, for a part of the images: their accuracies
are to be compared with each other.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor, nn

from contconv.metrics import equivariance, same_class
from experiments.claims.alias_free import SLANT, similarities
from experiments.shared import networks as _networks
from experiments.shared.costs import multiply_adds
from experiments.shared.networks import stated
from experiments.shared.shift_networks import (
    AS_IS,
    BLURRED,
    FAMILIES,
    OURS,
    STRIDED,
    classifier,
)
from training.images import ImageSets
from training.loop import Recipe, fit

COLORS = {AS_IS: "C0", STRIDED: "C1", BLURRED: "C2", OURS: "C3"}


@dataclass(frozen=True)
class Training:
    """What decides, beside the seed, what a network becomes."""

    channels: int = 16
    train_images: int = 10_000
    test_images: int = 5_000
    epochs: int = 6
    rate: float = 5e-3


@dataclass(frozen=True)
class Config:
    """The trainings, and by how many pixels images are moved after them."""

    training: Training = Training()
    seeds: int = 3
    images: int = 256
    shifts: tuple[float, ...] = (0.25, 0.5, 1, 1.5, 2, 3.3, 5, 8)
    paper_shifts: tuple[int, ...] = (1, 2, 4, 8)
    crop: int = 4


QUICK = Config(
    Training(channels=4, train_images=256, test_images=100, epochs=1),
    seeds=1,
    images=16,
    shifts=(0.5, 1),
    paper_shifts=(1,),
)


def run(config: Config) -> dict[str, Any]:
    """Accuracy, similarities and classes that stay, of each network and seed."""
    training = config.training
    sets = _networks.parts("cifar10", training.train_images, training.test_images)
    images = _networks.tested(sets, config.images)
    cases = [(family, way) for family, (_, _, ways) in FAMILIES.items() for way in ways]
    rows = [
        {
            "family": family,
            "way": way,
            "seed": seed,
            **_row(family, way, seed, config, sets, images),
        }
        for seed in range(config.seeds)
        for family, way in track(cases, f"networks, seed {seed}")
    ]
    adds = {
        family: {
            way: multiply_adds(classifier(family, way, training.channels).eval())
            for way in ways
        }
        for family, (_, _, ways) in FAMILIES.items()
    }
    return {"networks": rows, "multiply_adds": adds}


def _row(
    family: str, way: str, seed: int, config: Config, sets: ImageSets, images: Tensor
) -> dict[str, Any]:
    model, accuracy = trained(family, way, seed, config.training, sets)
    return {"accuracy": accuracy, **measured(model, images, config)}


def trained(
    family: str, way: str, seed: int, training: Training, sets: ImageSets
) -> tuple[nn.Sequential, float]:
    """A network, resumed where it was left, and its accuracy in percent."""
    torch.manual_seed(seed)
    model = classifier(family, way, training.channels)
    name = f"shifts {family} {way} {seed}".replace(" ", "-")
    folder = _networks.place(name, training, committed=False).with_suffix("")
    recipe = Recipe(training.epochs, lr=training.rate, seed=seed)
    history = fit(model, sets, recipe, folder=folder, resume=True, progress=False)
    return model.eval(), 100 * history[-1]["test_accuracy"]


def measured(model: nn.Sequential, images: Tensor, config: Config) -> dict[str, Any]:
    """What moves and what stays."""
    features = model[0]
    found = similarities(features, images, config.shifts)
    ways = [(shift, SLANT * shift) for shift in config.shifts]
    same = [same_class(model, images, way).mean().item() for way in ways]
    crop = (config.crop, config.crop)
    crops = same_class(model, images, crop, protocol="crop").mean().item()
    paper: dict[str, list[float]] = {"paper": [], "ceiling": []}
    for shift in config.paper_shifts:
        alike = equivariance(features, images, (shift, shift), protocol="paper")
        paper["paper"].append(alike.whole.mean().item())
        paper["ceiling"].append(alike.ceiling.mean().item())
    return {**found, "same": same, "crops": crops, **paper}


def check(result: dict[str, Any]) -> None:
    """Ours moves better than the same layers with strides, and than BlurPool."""
    if len({row["seed"] for row in result["networks"]}) > 1:
        for family, (_, _, ways) in FAMILIES.items():
            ours = worst(result, family, OURS, "varying")
            others = [worst(result, family, w, "varying") for w in ways if w != OURS]
            assert ours > max(others), (family, ours, others)


def chosen(result: dict[str, Any], family: str, way: str) -> list[dict[str, Any]]:
    """The rows of a network, one for each seed."""
    names = (family, way)
    return [row for row in result["networks"] if (row["family"], row["way"]) == names]


def worst(result: dict[str, Any], family: str, way: str, what: str) -> float:
    """The lowest value over the shifts, a mean over seeds."""
    return statistics.mean(min(row[what]) for row in chosen(result, family, way))


def rows(result: dict[str, Any]) -> Iterator[list[str]]:
    """For each network: names, accuracy, similarities, classes, multiply-adds."""
    for family, (_, _, ways) in FAMILIES.items():
        plain = result["multiply_adds"][family][AS_IS]
        for way in ways:
            known = chosen(result, family, way)
            accuracy = stated([row["accuracy"] for row in known], ".1f")
            crops = statistics.mean(row["crops"] for row in known)
            yield [
                family,
                way,
                accuracy,
                f"{worst(result, family, way, 'whole'):.4f}",
                f"{worst(result, family, way, 'varying'):.4f}",
                f"{100 * worst(result, family, way, 'same'):.1f}",
                f"{100 * crops:.1f}",
                f"{result['multiply_adds'][family][way] / plain:.2f}",
            ]


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    found = []
    for family, way, accuracy, whole, varying, same, crops, _ in rows(result):
        said = (
            f"{accuracy} %; features at the worst shift {whole}, {varying} of what "
            f"varies; same class {same} % at the worst fractional shift, {crops} % of "
            "cut-outs"
        )
        claim = f"CIFAR-10, small, trained at a circular border: {family}, {way}"
        found.append((claim, "true shift-equivariance" if way == OURS else "—", said))
    return found


def plot(record: dict[str, Any], figure: Path) -> None:
    """What is amiss over the shifts, and the paper's protocol beside its ceiling."""
    import matplotlib.pyplot as plt

    result, config = record["result"], record["config"]
    drawing, axes = plt.subplots(2, 2, figsize=(9, 6.4), layout="constrained")
    for (family, (_, _, ways)), (left, right) in zip(
        FAMILIES.items(), axes, strict=True
    ):
        for way in ways:
            known = chosen(result, family, way)
            values = torch.tensor([row["varying"] for row in known]).double().mean(0)
            how: dict[str, Any] = {"ms": 3, "color": COLORS[way]}
            left.semilogy(config["shifts"], 1 - values, "o-", label=way, **how)
            values = torch.tensor([row["paper"] for row in known]).double().mean(0)
            right.plot(config["paper_shifts"], values, "o-", **how)
        ceiling = torch.tensor([row["ceiling"] for row in chosen(result, family, OURS)])
        right.plot(
            config["paper_shifts"], ceiling.double().mean(0), "k--", label="ceiling"
        )
        left.set_title(f"{family}: features, what varies", size=10)
        left.set(xlabel="shift, pixels", ylabel="1 - similarity")
        right.set_title(f"{family}: the paper's protocol", size=10)
        right.set(xlabel="shift, pixels", ylabel="similarity")
        left.legend(fontsize=8)
        right.legend(fontsize=8)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
