"""The Internal-Net trains as well as an ordinary convolution, if it starts as cosines.

One small classifier of CIFAR-10; its four layers after the first are ordinary
convolutions, strided or after bilinear resizing to the same feature maps; continuous
ones with fixed bases; or the Internal-Net with several widths, depths and
initialisations. All see the same batches. The learning rate of each is the one of three
that has the lowest training loss after a shorter training with another seed.

With AdamW, that is: the steps of SGD suit the Internal-Net less. And most of what is
gained is not the layer's but the parametrization's: an ordinary convolution with one
weight for each cosine of its filters, in place of each pixel, gains as much. Of the
kernels on 3x3 pixels none is clearly better than cosines, the default; somewhat wider
ones are, and touch more pixels.
"""

import json
import math
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from experiments.shared import networks as _networks
from experiments.shared.networks import mean_and_deviation
from experiments.shared.study_networks import VARIANTS, network
from training.data import ImageSets
from training.loop import Recipe, fit

FAMILIES = ("conv", "fixed basis", "spline", "Internal-Net")


@dataclass(frozen=True)
class Config:
    """The network, the training, and what is tried."""

    channels: int = 16
    sizes: tuple[int, ...] = (13, 11, 9, 8)
    train_images: int = 8000
    test_images: int = 5000
    epochs: int = 5
    tuning_epochs: int = 2
    seeds: int = 3
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    sgd_rates: tuple[float, ...] = (0.02, 0.05, 0.1)
    sgd_variants: tuple[str, ...] = (
        "resized",
        "resized cosines",
        "cosine",
        "spline",
        "mlp",
    )
    timed_images: int = 128
    rounds: int = 5
    # A run that was cut goes on from it.
    partial: str | None = "out/kernel_study.json"


QUICK = Config(
    channels=4,
    sizes=(11, 8),
    train_images=128,
    test_images=50,
    epochs=1,
    tuning_epochs=1,
    seeds=1,
    rates=(3e-3,),
    sgd_rates=(0.05,),
    sgd_variants=("resized", "cosine", "mlp"),
    timed_images=4,
    rounds=1,
    partial=None,
)


def run(config: Config) -> dict[str, Any]:
    """Tune and train every variant; time them."""
    sets = _networks.parts("cifar10", config.train_images, config.test_images)
    study = _Study(config, sets)
    rows = [study.row(*case) for case in track(list(_cases(config)), "kernels")]
    times = milliseconds(config)
    costs = {
        name: {"parameters": _parameters(name, config), "milliseconds": times[name]}
        for name in VARIANTS
    }
    return {"rows": rows, "costs": costs, "epochs": config.epochs}


def _cases(config: Config) -> Iterator[tuple[str, str]]:
    for name in VARIANTS:
        yield name, "adamw"
    for name in config.sgd_variants:
        yield name, "sgd"


class _Study:
    """Trainings; each is kept as soon as it has ended."""

    def __init__(self, config: Config, sets: ImageSets) -> None:
        self.config, self.sets = config, sets
        self.path = Path(config.partial) if config.partial else None
        found = self.path is not None and self.path.exists()
        self.kept = json.loads(self.path.read_text()) if found else {}  # type: ignore

    def row(self, name: str, optimizer: str) -> dict[str, Any]:
        """The best learning rate, and what training with it gives for each seed."""
        config = self.config
        rates = config.rates if optimizer == "adamw" else config.sgd_rates
        tuning = {
            rate: self.trained(name, optimizer, rate, config.tuning_epochs, 0)["loss"]
            for rate in rates
        }
        best = min(rates, key=lambda rate: (tuning[rate] or [math.inf])[-1])
        runs = [
            self.trained(name, optimizer, best, config.epochs, seed)
            for seed in range(1, config.seeds + 1)
        ]
        return {
            "name": name,
            "optimizer": optimizer,
            "rate": best,
            "tuning": {str(rate): losses for rate, losses in tuning.items()},
            "loss": [run["loss"] for run in runs],
            "accuracy": [run["accuracy"] for run in runs],
        }

    def trained(
        self, name: str, optimizer: str, rate: float, epochs: int, seed: int
    ) -> dict[str, list[float]]:
        """Loss and accuracy, in percent, of each epoch; empty if it diverged."""
        config = self.config
        sizes = (config.channels, config.sizes, config.train_images, config.test_images)
        key = repr((*sizes, name, optimizer, rate, epochs, seed))
        if key not in self.kept:
            self.kept[key] = self._train(name, optimizer, rate, epochs, seed)
            self._save()
        return self.kept[key]

    def _train(
        self, name: str, optimizer: str, rate: float, epochs: int, seed: int
    ) -> dict[str, list[float]]:
        torch.manual_seed(seed)
        model = network(VARIANTS[name], self.config.channels, self.config.sizes)
        decay = {"adamw": 0.05, "sgd": 5e-4}[optimizer]
        recipe = Recipe(
            epochs, optimizer=optimizer, lr=rate, weight_decay=decay, seed=seed
        )
        try:
            history = fit(model, self.sets, recipe, progress=False)
        except FloatingPointError:
            return {"loss": [], "accuracy": []}
        return {
            "loss": [epoch["loss"] for epoch in history],
            "accuracy": [100 * epoch["test_accuracy"] for epoch in history],
        }

    def _save(self) -> None:
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix(".new")
            partial.write_text(json.dumps(self.kept, indent=1))
            os.replace(partial, self.path)


def _parameters(name: str, config: Config) -> int:
    model = network(VARIANTS[name], config.channels, config.sizes)
    return sum(p.numel() for p in model.parameters())


def milliseconds(config: Config) -> dict[str, float]:
    """The median time of a step with a batch of images; the networks take turns."""
    models = {
        name: network(variant, config.channels, config.sizes)
        for name, variant in VARIANTS.items()
    }
    images = torch.randn(config.timed_images, 3, 32, 32)
    images = images.contiguous(memory_format=torch.channels_last)
    taken: dict[str, list[float]] = {name: [] for name in models}
    for i in range(config.rounds + 1):
        for name, model in models.items():
            start = time.perf_counter()
            model(images).square().mean().backward()
            if i > 0:
                taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(times) for name, times in taken.items()}


def ends(result: dict[str, Any], name: str, optimizer: str = "adamw") -> list[float]:
    """The accuracy at the end, for each seed; what diverged is as good as chance."""
    row = _row(result, name, optimizer)
    return [accuracy[-1] if accuracy else 10.0 for accuracy in row["accuracy"]]


def _row(result: dict[str, Any], name: str, optimizer: str) -> dict[str, Any]:
    rows = result["rows"]
    return next(r for r in rows if (r["name"], r["optimizer"]) == (name, optimizer))


def gained(
    result: dict[str, Any], name: str, other: str, optimizer: str = "adamw"
) -> tuple[float, float]:
    """Points of accuracy over another variant: mean and deviation over the seeds."""
    both = (ends(result, one, optimizer) for one in (name, other))
    pairs = zip(*both, strict=True)
    return mean_and_deviation([a - b for a, b in pairs])


def check(result: dict[str, Any]) -> None:
    """As many parameters; cosines and the Internal-Net above ordinary convolutions."""
    costs = result["costs"]
    equal = (
        *("conv", "resized", "resized cosines", "cosine", "pixels", "sine", "wide"),
        *("fourier", "linear spline", "spline", "cubic spline"),
    )
    assert len({costs[name]["parameters"] for name in equal}) == 1
    if result["epochs"] > 1:
        for name in ("cosine", "mlp"):
            mean, _ = gained(result, name, "resized")
            assert mean > 0, (name, mean)


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""

    def over(name: str, other: str, optimizer: str = "adamw") -> str:
        mean, spread = gained(result, name, other, optimizer)
        return f"{mean:+.1f} ± {spread:.1f} points"

    return [
        ("Internal-Net over `nn.Conv2d`, small network", "—", over("mlp", "resized")),
        ("the same, as `nn.Linear` starts", "—", over("plain", "resized")),
        ("the same, started well, with SGD", "—", over("mlp", "resized", "sgd")),
        ("cosines over `nn.Conv2d`, small network", "—", over("cosine", "resized")),
        ("splines over `nn.Conv2d`, small network", "—", over("spline", "resized")),
        (
            "`nn.Conv2d` itself, a weight for each cosine of its filters, over "
            "`nn.Conv2d` as it is, small network",
            "—",
            over("resized cosines", "resized"),
        ),
    ]


def plot(record: dict[str, Any], figure: Path) -> None:
    """Loss and accuracy over the epochs, and the accuracy at the end, of all."""
    import matplotlib.pyplot as plt

    result = record["result"]
    drawing = plt.figure(figsize=(15, 7.5), layout="constrained")
    panels: Any = drawing.subfigures(1, 2, width_ratios=(2.2, 1))
    left, right = panels
    axes = left.subplots(2, len(FAMILIES), sharex=True, sharey="row")
    for i, family in enumerate(FAMILIES):
        names = [n for n, v in VARIANTS.items() if v.family == family]
        for j, name in enumerate(dict.fromkeys(("resized", *names))):
            style = {"color": "black", "ls": ":"} if j == 0 else {"color": f"C{j - 1}"}
            for ax, key in zip(axes[:, i], ("loss", "accuracy"), strict=True):
                runs = _row(result, name, "adamw")[key]
                _draw_epochs(ax, runs, VARIANTS[name].title, style)
        axes[0, i].set_title(family, size=10)
        axes[1, i].legend(fontsize=6.5, loc="lower right")
        axes[1, i].set_xlabel("epoch")
    # A network that starts with a loss of 10 would hide all others.
    axes[0, 0].set(ylabel="training loss", ylim=(1.3, 2.4))
    axes[1, 0].set_ylabel("accuracy on test images, %")
    _draw_ends(right.subplots(), result)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def _draw_epochs(
    ax: Any, runs: list[list[float]], title: str, style: dict[str, str]
) -> None:
    """Mean over the seeds, and one deviation to both sides."""
    pairs = [mean_and_deviation(list(values)) for values in zip(*runs, strict=True)]
    epochs = range(1, len(pairs) + 1)
    low = [mean - spread for mean, spread in pairs]
    high = [mean + spread for mean, spread in pairs]
    ax.plot(epochs, [mean for mean, _ in pairs], lw=1.3, label=title, **style)
    ax.fill_between(epochs, low, high, alpha=0.15, lw=0, color=style["color"])
    ax.set_xticks(epochs)


def _draw_ends(ax: Any, result: dict[str, Any]) -> None:
    """Every variant's accuracy at the end, with its deviation over the seeds."""
    names = list(VARIANTS)
    for optimizer, marker in (("adamw", "o"), ("sgd", "D")):
        found = [r["name"] for r in result["rows"] if r["optimizer"] == optimizer]
        values = [mean_and_deviation(ends(result, name, optimizer)) for name in found]
        means, spreads = zip(*values, strict=True)
        places = [-names.index(name) for name in found]
        fill = "tab:blue" if optimizer == "adamw" else "white"
        label = {"adamw": "AdamW", "sgd": "SGD"}[optimizer]
        ax.errorbar(
            means, places, xerr=spreads, fmt=marker, ms=5, mfc=fill, color="tab:blue",
            label=label,
        )  # fmt: skip
    ax.set_yticks([-i for i in range(len(names))], [VARIANTS[n].title for n in names])
    ax.tick_params(axis="y", labelsize=8)
    ax.set_xlabel("accuracy at the end, %")
    ax.grid(axis="both", alpha=0.3)
    ax.legend(fontsize=8)
