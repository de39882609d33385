"""The trained classifiers that several experiments look at; each is trained once."""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from contconv.models import BaselineNet, CCNet
from experiments import ROOT
from training.batches import moments
from training.data import Images, ImageSets, load_images
from training.loop import Recipe, fit

# Some networks of the full setting are in the repository, in half precision, 3 MB in
# all: of CIFAR-10's the first seed of each kind. What the experiments say of them can
# be measured again without training. Others are trained when they are asked for, and
# kept for a while, in the folder where one works.
COMMITTED, WORKING = ROOT / "weights", Path("out") / "networks"

Classifier = BaselineNet | CCNet


class Kind(NamedTuple):
    """A network, and the random changes of its scales during training."""

    network: str
    jitter: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.network}, jitter {self.jitter:g}" if self.jitter else self.network
        )


# Learning rates. Each the best of three in a trial, of 4 epochs of 6,400 images; but
# splines were given that of the cosines.
RATES = {"baseline": 2e-3, "strided": 5e-3, "cosine": 5e-3, "mlp": 5e-3, "spline": 5e-3}


@dataclass(frozen=True)
class Setting:
    """How large the networks are, and how long they train."""

    channels: int = 24
    epochs: int = 5
    train_images: int = 50_000
    test_images: int = 10_000
    seeds: int = 3


FULL = Setting()
QUICK = Setting(channels=4, epochs=1, train_images=512, test_images=100, seeds=1)


class Trained(NamedTuple):
    """A trained network, and what its training said, epoch by epoch."""

    kind: Kind
    seed: int
    model: Classifier
    history: list[dict[str, Any]]


def images(setting: Setting) -> ImageSets:
    """What the setting trains and tests on."""
    return parts("cifar10", setting.train_images, setting.test_images)


def parts(name: str, train: int, test: int) -> ImageSets:
    """A set, or evenly spread parts of it."""
    sets = load_images(name)
    return replace(sets, train=_part(sets.train, train), test=_part(sets.test, test))


def _part(images: Images, count: int) -> Images:
    rows = spread(images, count)
    return Images(images.images[rows], images.labels[rows])


def spread(images: Images, count: int) -> Tensor:
    """The places of so many images of all classes alike: sets are sorted by class."""
    return torch.arange(count) * len(images) // count


def new_network(kind: Kind, setting: Setting) -> Classifier:
    """Not trained.

    ``"strided"`` is the paper's continuous network at the scales of the baseline.
    """
    if kind.network == "baseline":
        return BaselineNet(setting.channels)
    if kind.network == "strided":
        scales = [Fraction(1, stride) for stride in BaselineNet.strides[1:]]
        return CCNet(setting.channels, kernel="cosine", scales=scales)
    return CCNet(setting.channels, kernel=kind.network)


def all_trained(
    kinds: tuple[Kind, ...], setting: Setting, sets: ImageSets
) -> Iterator[Trained]:
    """Each kind with each of its seeds; all of one seed first."""
    cases = list(itertools.product(range(setting.seeds), kinds))
    for seed, kind in track(cases, "networks"):
        yield trained(kind, seed, setting, sets)


def trained(kind: Kind, seed: int, setting: Setting, sets: ImageSets) -> Trained:
    """The network with this seed: as it was kept, or trained now."""
    torch.manual_seed(seed)
    model = new_network(kind, setting).to(memory_format=torch.channels_last)  # type: ignore
    path = _path(kind, seed, setting)
    if not path.exists():
        rate = RATES[kind.network]
        recipe = Recipe(setting.epochs, lr=rate, jitter=kind.jitter, seed=seed)
        _keep(model, fit(model, sets, recipe, progress=False), path)
    model.load_state_dict(load_file(path))
    history = json.loads(path.with_suffix(".json").read_text())
    return Trained(kind, seed, model.eval(), history)


def _path(kind: Kind, seed: int, setting: Setting) -> Path:
    """Where a network is kept."""
    name = f"{kind.network}-{kind.jitter:g}-{seed}"
    return place(name, setting, committed=setting == FULL)


def place(name: str, setting: Any, *, committed: bool) -> Path:
    """The file of a network, by all that decides what it becomes.

    Args:
        name: Which one.
        setting: A dataclass, which tells networks that are not committed apart.
        committed: Whether it is of the full setting, and may be in the repository.
    """
    if committed and (path := COMMITTED / f"{name}.safetensors").exists():
        return path
    key = json.dumps(asdict(setting), sort_keys=True)
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return WORKING / f"{name}-{digest}.safetensors"


def _keep(model: Classifier, history: list[dict[str, Any]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(history, indent=1) + "\n")
    keep(model, path)


def keep(model: nn.Module, path: Path) -> None:
    """Write a network in half precision, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    halves = {k: v.half().contiguous() for k, v in model.state_dict().items()}
    save_file(halves, partial)
    os.replace(partial, path)


@torch.no_grad()
def in_batches(
    function: Callable[[Tensor], Tensor], images: Tensor, size: int = 250
) -> Tensor:
    """What a function gives for all images, some at a time."""
    return torch.cat([function(part) for part in images.split(size)])


def normalized(sets: ImageSets, images: Tensor) -> Tensor:
    """Images as the networks were trained on them: ``[n, c, h, w]``, floats."""
    mean, deviation = (m[:, None, None] for m in moments(sets.train.images))
    floats = (images.float() - mean) / deviation
    return floats.contiguous(memory_format=torch.channels_last)


def tested(sets: ImageSets, count: int) -> Tensor:
    """So many test images of all classes alike, as the networks were trained."""
    return normalized(sets, sets.test.images[spread(sets.test, count)])


def accuracies(result: dict[str, Any], network: str) -> list[float]:
    """The accuracy at the end of training, for each seed."""
    rows = [row for row in result["networks"] if row["network"] == network]
    return [row["accuracy"][-1] for row in rows]


def gains(result: dict[str, Any], network: str, over: str) -> list[float]:
    """The accuracy of a network over another's, for each seed that both have."""
    own, others = (accuracies(result, name) for name in (network, over))
    return [a - b for a, b in zip(own, others, strict=False)]


def stated(values: list[float], form: str) -> str:
    """The mean over seeds, with the deviation where there are several."""
    mean, deviation = mean_and_deviation(values)
    signless = form.lstrip("+")
    return format(mean, form) + (
        f" ± {deviation:{signless}}" if len(values) > 1 else ""
    )


def mean_and_deviation(values: list[float]) -> tuple[float, float]:
    """Over seeds; the deviation of a single one is not known: nan is written as 0."""
    numbers = torch.tensor(values, dtype=torch.float64)
    spread = numbers.std().item() if len(values) > 1 else 0.0
    return numbers.mean().item(), spread
