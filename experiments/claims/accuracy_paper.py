"""By plain SGD, at the paper's width, splines classify CIFAR-10 as well, not better.

The paper's two networks, of 64 channels and without normalization, by the recipe that
`training/recipes/paper.toml` has, for half as many epochs: SGD with Nesterov's
momentum, a learning rate that rises and falls, images that are flipped and shifted at
random. The continuous network shrinks gradually, with splines; it has as many weights.
Both learned in bfloat16, once. The paper's 0.67 points are not there; with
normalization and the trainings of today they are (`accuracy_wide`). The images are JPEG
copies, which costs points: the paper's numbers are of the images themselves.
"""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contconv.models import BaselineNet, CCNet
from experiments.claims.accuracy_wide import PAPER
from experiments.shared import courses, trainings
from experiments.shared import networks as _networks
from experiments.shared.trainings import Case
from training.__main__ import RECIPES
from training.recipe import Recipe

NAMES = {"baseline": "nn.Conv2d", "spline": "CC, gradual, splines"}


@dataclass(frozen=True)
class Config:
    """The networks and their trainings."""

    channels: int = 64
    epochs: int = 30
    train_images: int = 50_000
    test_images: int = 10_000
    seeds: int = 1
    threads: int = 2
    rounds: int = 5


QUICK = Config(8, 1, 512, 100, 1, 2, 3)


def run(config: Config) -> dict[str, Any]:
    """Train each with every seed, from where it was left; and time their steps."""
    return trainings.run(NAMES, case, config)


def case(name: str, config: Config, seed: int) -> Case:
    """A network, not trained, and its recipe."""
    text = (RECIPES / "paper.toml").read_text()
    options = {k.replace("-", "_"): value for k, value in tomllib.loads(text).items()}
    recipe = replace(Recipe(**options), epochs=config.epochs, amp=True, seed=seed)
    if name == "baseline":
        return lambda: BaselineNet(config.channels), recipe
    return lambda: CCNet(config.channels, kernel=name), recipe


def check(result: dict[str, Any]) -> None:
    """As many parameters; with splines no worse than seeds may differ."""
    costs = result["costs"]
    assert costs["spline"]["parameters"] == costs["baseline"]["parameters"]
    if result["setting"]["train_images"] == Config.train_images:
        gains = _networks.gains(result, "spline", "baseline")
        assert min(gains) > -0.3, gains


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    setting = result["setting"]
    size = f"{setting['channels']} channels, {setting['epochs']} epochs"
    title = f"CIFAR-10, plain SGD, {size}: "
    base = _networks.stated(_networks.accuracies(result, "baseline"), ".2f")
    gained = _networks.stated(_networks.gains(result, "spline", "baseline"), "+.2f")
    over = f"{gained} points over {base} %"
    aim = f"{PAPER['cc'] - PAPER['baseline']:+.2f} points"
    taken = f"a step takes {trainings.slower(result, 'spline', 'baseline')} of its time"
    return [
        (f"{title}BaselineNet", f"{PAPER['baseline']} %", f"{base} %"),
        (f"{title}CC-Net over it, splines", aim, f"{over}; {taken}"),
    ]


def plot(record: dict[str, Any], figure: Path) -> None:
    """Accuracy over the epochs, and over the time of their steps."""
    result = record["result"]
    courses.plot(result, NAMES, courses.over_epochs_and_time(result), figure)
