"""Continuous layers in place of max-pools classify as well, with fewer multiply-adds.

CIFAR-10 by a small residual network and the tricks of the fast trainings of today: a
first layer that whitens, Muon, flips that alternate, label smoothing, tests on each
image and its mirror image. One network shrinks by a convolution and a max-pool, as
those trainings do; one has continuous layers of each channel by itself where the pools
were; and one shrinks by continuous convolutions alone, which compute a quarter of the
pixels. Seconds are steps times the time of a step, the networks in turns, on two
threads; the trainings themselves ran beside other work.

The images are JPEG copies of quality 75 with colours at half the resolution. What is
lost in them costs points: no network here is as good as those that are published, and
they are to be compared with each other. Each was trained once: half a point between two
of them says nothing.
"""

import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.shared import courses, speed_networks, trainings
from experiments.shared import networks as _networks
from experiments.shared.speed_networks import SpeedNet
from experiments.shared.trainings import Case

NAMES = {
    "pooled": "max-pools",
    "depthwise": "depthwise continuous layers",
    "continuous": "continuous layers alone",
}
HALVINGS = {
    "pooled": speed_networks.pooled,
    "depthwise": speed_networks.depthwise,
    "continuous": speed_networks.continuous,
}
# Published, in 8 epochs, with tests on six views of each image.
PUBLISHED = 94.01

RECIPE = replace(trainings.FAST, batch_size=500, warmup=0.05, label_smoothing=0.2)


@dataclass(frozen=True)
class Config:
    """The networks and their trainings."""

    widths: tuple[int, ...] = (64, 256, 256)
    epochs: tuple[int, ...] = (8, 8, 12)
    train_images: int = 50_000
    test_images: int = 10_000
    seeds: int = 1
    threads: int = 2
    rounds: int = 9


QUICK = Config((8, 8, 8), (1, 1, 1), 1000, 100, 1, 2, 3)


def run(config: Config) -> dict[str, Any]:
    """Train each with every seed, from where it was left; and time their steps."""
    return trainings.run(NAMES, case, config)


def network(name: str, config: Config) -> SpeedNet:
    """Not trained."""
    return SpeedNet(HALVINGS[name], config.widths)


def case(name: str, config: Config, seed: int) -> Case:
    """A network and its recipe: the one that costs less learns for more epochs."""
    epochs = dict(zip(NAMES, config.epochs, strict=True))[name]
    size = min(RECIPE.batch_size, config.train_images)
    recipe = replace(RECIPE, epochs=epochs, batch_size=size, seed=seed)
    return lambda: network(name, config), recipe


def check(result: dict[str, Any]) -> None:
    """As many parameters, and not below its twin by more than seeds differ."""
    costs, setting = result["costs"], result["setting"]
    assert costs["continuous"]["parameters"] == costs["pooled"]["parameters"]
    assert costs["continuous"]["multiply_adds"] < costs["pooled"]["multiply_adds"]
    if setting["train_images"] == Config.train_images:
        means = {
            name: statistics.mean(_networks.accuracies(result, name)) for name in NAMES
        }
        assert means["continuous"] > means["pooled"] - 0.3, means


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    count = result["setting"]["seeds"]

    def stated(name: str) -> str:
        found = _networks.stated(_networks.accuracies(result, name), ".2f")
        epochs = result["setting"]["epochs"][list(NAMES).index(name)]
        adds = epochs * result["costs"][name]["multiply_adds"] / 1e9
        taken = trainings.minutes(result, name, epochs)
        return (
            f"{found} % ({NAMES[name]}: {epochs} epochs, "
            f"{taken:.0f} minutes of two cores, {adds:.2f} "
            "billion multiply-adds for each image forward)"
        )

    title = "CIFAR-10 in minutes, " + (f"{count} seeds" if count > 1 else "one seed")
    ours = "; ".join(stated(name) for name in reversed(NAMES))
    return [(title, f"{PUBLISHED} % published, with max-pools", ours)]


def plot(record: dict[str, Any], figure: Path) -> None:
    """Accuracy over minutes, and over multiply-adds."""
    result = record["result"]

    def multiplied(name: str, epochs: int) -> float:
        return epochs * result["costs"][name]["multiply_adds"] / 1e9

    over = {
        "minutes on two cores": courses.minutes(result),
        "multiply-adds for each image of the set, forward, billions": multiplied,
    }
    courses.plot(result, NAMES, over, figure)
