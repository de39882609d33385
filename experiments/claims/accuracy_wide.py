"""With batch normalization and 64 channels, splines classify CIFAR-10 better, too.

The paper's two networks, and what trainings of today add: batch normalization, a first
layer that whitens, Muon, flips that alternate, label smoothing, tests on each image and
its mirror image. The continuous network shrinks gradually, with splines, with cosines
or with the Internal-Net; beside it, the network of ordinary convolutions has as many
channels, or so many that it has as many multiply-adds as that of splines. One setting
serves them all; its learning rate is the better one of two that were tried for the
baseline.

The images are JPEG copies, and each network sees them a few times: no network here is
as good as those that are published, and they are to be compared with each other. Those
of cosines and the Internal-Net were trained once and in float32, the others three times
and in bfloat16.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from contconv.models import BaselineNet, CCNet
from experiments.shared import courses, trainings
from experiments.shared import networks as _networks
from experiments.shared.trainings import Case

NAMES = {
    "baseline": "nn.Conv2d",
    "wider": "nn.Conv2d, wider",
    "spline": "CC, gradual, splines",
    "cosine": "CC, gradual, cosines",
    "mlp": "CC, gradual, Internal-Net",
}
# The paper's own pair, in percent.
PAPER = {"baseline": 87.14, "cc": 87.81}

ONCE = ("cosine", "mlp")  # trained with one seed, in float32

RECIPE = replace(trainings.FAST, batch_size=256, warmup=0.1, label_smoothing=0.1)


@dataclass(frozen=True)
class Config:
    """The networks and their trainings.

    Attributes:
        channels: Of each convolution.
        wider: Of those of the wider baseline.
    """

    channels: int = 64
    wider: int = 74
    epochs: int = 6
    train_images: int = 50_000
    test_images: int = 10_000
    seeds: int = 3
    threads: int = 2
    rounds: int = 15


QUICK = Config(8, 9, 1, 512, 100, 1, 2, 3)


def run(config: Config) -> dict[str, Any]:
    """Train each with every seed, from where it was left; and time their steps."""
    return trainings.run(NAMES, case, config, ONCE)


def case(name: str, config: Config, seed: int) -> Case:
    """A network, not trained, and its recipe."""
    size = min(RECIPE.batch_size, config.train_images)
    recipe = replace(RECIPE, epochs=config.epochs, batch_size=size, seed=seed)
    return lambda: network(name, config), replace(recipe, amp=name not in ONCE)


def network(name: str, config: Config) -> nn.Module:
    """Not trained."""
    made: dict[str, Callable[[], nn.Module]] = {
        "baseline": lambda: BaselineNet(config.channels, norm="batch"),
        "wider": lambda: BaselineNet(config.wider, norm="batch"),
    }
    if name in made:
        return made[name]()
    return CCNet(config.channels, kernel=name, norm="batch")


def check(result: dict[str, Any]) -> None:
    """As many parameters, or as many multiply-adds; and above both by the paper's."""
    costs, setting = result["costs"], result["setting"]
    assert costs["spline"]["parameters"] == costs["baseline"]["parameters"]
    if setting["train_images"] == Config.train_images:
        adds = costs["wider"]["multiply_adds"] / costs["spline"]["multiply_adds"]
        assert 0.97 < adds < 1.03, adds
        means = {
            name: _networks.mean_and_deviation(_networks.accuracies(result, name))[0]
            for name in NAMES
        }
        gain = means["spline"] - means["wider"]
        assert gain > PAPER["cc"] - PAPER["baseline"], means


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    setting = result["setting"]

    def title(network: str) -> str:
        count = len(_networks.accuracies(result, network))
        seeds = f"{count} seeds" if count > 1 else "one seed"
        size = f"{setting['channels']} channels, {setting['epochs']} epochs"
        return f"CIFAR-10, {size}, {seeds}: "

    def gained(network: str, over: str) -> str:
        return _networks.stated(_networks.gains(result, network, over), "+.2f")

    base = _networks.stated(_networks.accuracies(result, "baseline"), ".2f")
    rows = [(f"{title('baseline')}BaselineNet", f"{PAPER['baseline']} %", f"{base} %")]
    aim = f"{PAPER['cc'] - PAPER['baseline']:+.2f} points"
    for network in list(NAMES)[2:]:
        kernel = NAMES[network].rpartition(", ")[2]
        times = [trainings.slower(result, network, o) for o in ("baseline", "wider")]
        taken = f"a step takes {' and '.join(times)} of their time"
        ours = (
            f"{gained(network, 'baseline')} points over as many channels, "
            f"{gained(network, 'wider')} over as many multiply-adds; "
            f"{'in float32' if network in ONCE else taken}"
        )
        rows.append((f"{title(network)}CC-Net, {kernel}", aim, ours))
    return rows


def plot(record: dict[str, Any], figure: Path) -> None:
    """Accuracy over the epochs, and over the time of their steps."""
    result = record["result"]
    labels = {n: f"{name}, float32" if n in ONCE else name for n, name in NAMES.items()}
    courses.plot(result, labels, courses.over_epochs_and_time(result), figure)
