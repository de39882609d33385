"""What makes ensembles of scales gain: networks of 64 channels, each trained its way.

The continuous network of `accuracy_wide`, with splines and batch normalization, trained
as there, but in float32; with scales that change at random from step to step; and with
nothing that keeps it from learning its images by heart: not augmented, no smoothed
labels, more epochs, as in the paper, whose recipe does not speak of augmentation. The
members of an ensemble have the network's parameters and scales of their own, and take
the network's statistics of features, or statistics that were measured anew at their
scales. "One member" is the network at its own scales; the mean of the members alone
stands beside it, for ensembles of such may gain over them and not over the network.

What else so many runs could be spent on stands beside: the same network on images that
are shifted by up to two pixels, and networks that were trained apart, with other seeds.
"""

import itertools
import statistics
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from contconv.nn.scales import scales_of, using_scales
from contconv.nn.schedules import ScaleSequence, jittered
from experiments.claims import accuracy_wide
from experiments.claims.ensembles import PAPER, joined
from experiments.shared import networks as _networks
from experiments.shared import trainings
from experiments.shared.trainings import Case
from training.data import ImageSets

AUGMENTED, JITTERED, BARE = "augmented", "augmented, scales change", "by heart"
SHIFTED, NETWORKS = "shifted images", "networks trained apart"
GIVEN, OWN = "the network's statistics", "own statistics"
# Images a call; of them statistics are taken, too.
_BATCH = 250


@dataclass(frozen=True)
class Training:
    """What the networks beside that of `accuracy_wide` learn from, and how long."""

    base: accuracy_wide.Config = field(
        default_factory=lambda: accuracy_wide.Config(seeds=1, rounds=5)
    )
    jitter: float = 0.15
    bare_epochs: int = 8


@dataclass(frozen=True)
class Config:
    """The networks, the members, and how the members differ.

    Attributes:
        apart: Networks of `accuracy_wide` that were trained with other seeds.
        statistics_images: Of the training set, from which members take theirs, and
            which tell how many the network has right.
        orders: Random orders of the members, over which sizes are averaged.
    """

    training: Training = field(default_factory=Training)
    apart: int = 2
    images: int = 5000
    statistics_images: int = 2000
    members: int = 16
    changes: tuple[float, ...] = (0.05, 0.15, 0.3)
    orders: int = 50


QUICK = Config(
    training=Training(replace(accuracy_wide.QUICK, channels=4), bare_epochs=1),
    apart=1,
    images=40,
    statistics_images=40,
    members=3,
    changes=(0.15,),
    orders=3,
)


def run(config: Config) -> dict[str, Any]:
    """The accuracy over the number of members, by training and kind of member."""
    base = config.training.base
    sets = _networks.parts("cifar10", base.train_images, base.test_images)
    rows = _networks.spread(sets.test, config.images)
    tested = _networks.normalized(sets, sets.test.images[rows])
    # Mixed: statistics are the mean of those of parts of the images.
    order = torch.randperm(len(sets.train), generator=torch.Generator().manual_seed(0))
    few = order[: config.statistics_images]
    learned = _networks.normalized(sets, sets.train.images[few])
    labels = sets.test.labels[rows]
    found, alone = [], {}
    for name in track((AUGMENTED, JITTERED, BARE), "trainings"):
        model = trained(name, config.training, sets)
        alone[name] = own = _said(model, tested)
        kinds = members(model, tested, learned, config)
        found.append(
            {
                "training": name,
                "train_accuracy": _percent(
                    _said(model, learned), sets.train.labels[few]
                ),
                "own": _percent(own, labels),
                "members": {
                    kind: joined(torch.stack([own, *said]), labels, config.orders)
                    for kind, said in kinds
                },
            }
        )
    others = [
        _said(trained(AUGMENTED, config.training, sets, seed), tested)
        for seed in range(1, config.apart)
    ]
    apart = torch.stack([alone[AUGMENTED], *others])
    together = joined(apart, labels, config.orders)
    return {"trainings": found, NETWORKS: together, "setting": asdict(config)}


def trained(name: str, training: Training, sets: ImageSets, seed: int = 0) -> nn.Module:
    """A network; its training goes on from where it was left."""
    base = trainings.deciding(training.base)
    setting = base if name == AUGMENTED else replace(training, base=base)
    file = {AUGMENTED: "spline", JITTERED: "jittered", BARE: "bare"}[name]
    folder = trainings.folder(file, seed, setting)
    return trainings.network(case(name, training, seed), seed, sets, folder)[0]


def case(name: str, training: Training, seed: int) -> Case:
    """The network, not trained, and the recipe of this training."""
    make, recipe = accuracy_wide.case("spline", training.base, seed)
    recipe = replace(recipe, amp=False)
    if name == JITTERED:
        recipe = replace(recipe, jitter=training.jitter)
    if name == BARE:
        epochs = training.bare_epochs
        recipe = replace(recipe, augment=False, label_smoothing=0.0, epochs=epochs)
    return make, recipe


def members(
    model: nn.Module, images: Tensor, learned: Tensor, config: Config
) -> Iterator[tuple[str, list[Tensor]]]:
    """Each kind of member, and what those of it say, beside the network itself."""
    own = scales_of(model)
    for change, which in itertools.product(config.changes, (GIVEN, OWN)):
        generator = torch.Generator().manual_seed(0)
        others = [
            jittered(own, change, generator=generator)
            for _ in range(config.members - 1)
        ]
        own_images = learned if which == OWN else None
        said = [_at_scales(model, scales, images, own_images) for scales in others]
        yield f"changed by {change:.0%}, {which}", said
    draw = torch.Generator().manual_seed(0)
    every = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if (y, x) != (0, 0)]
    chosen = torch.randperm(len(every), generator=draw)[: config.members - 1].tolist()
    yield SHIFTED, [_said(model, _shifted(images, *every[i])) for i in chosen]


def _at_scales(
    model: nn.Module, scales: ScaleSequence, images: Tensor, learned: Tensor | None
) -> Tensor:
    """What a member says; with statistics of its own, of images that were learned."""
    if learned is not None:
        model = deepcopy(model)
    with using_scales(model, scales):
        if learned is not None:
            update_bn(learned.split(_BATCH), model)
        return _said(model, images)


def _said(model: nn.Module, images: Tensor) -> Tensor:
    """The probability of each class."""
    return _networks.in_batches(model, images, _BATCH).softmax(1)


def _shifted(images: Tensor, down: int, right: int) -> Tensor:
    """Images moved by so many pixels; the mean of all images comes in."""
    padded = nn.functional.pad(images, (2, 2, 2, 2))
    height, width = images.shape[2:]
    return padded[:, :, 2 - down :, 2 - right :][:, :, :height, :width]


def _percent(said: Tensor, labels: Tensor) -> float:
    return 100 * (said.argmax(1) == labels).double().mean().item()


def gain(row: dict[str, Any], kind: str, size: int) -> float:
    """Points that an ensemble of a size is above the network alone."""
    return row["members"][kind]["accuracy"][size - 1] - row["own"]


def apart(result: dict[str, Any], size: int) -> float:
    """Points that so many networks trained apart are above one of them, on average."""
    curve = result[NETWORKS]["accuracy"]
    return curve[size - 1] - curve[0]


def best(row: dict[str, Any], size: int) -> str:
    """The kind of members of other scales that gains most at a size."""
    kinds = [kind for kind in row["members"] if kind != SHIFTED]
    return max(kinds, key=lambda kind: gain(row, kind, size))


def check(result: dict[str, Any]) -> None:
    """An ensemble of one is the network; statistics of its own help a member."""
    for row in result["trainings"]:
        for curve in row["members"].values():
            assert abs(curve["accuracy"][0] - row["own"]) < 0.1
    if result["setting"]["images"] < Config.images:
        return
    for row in result["trainings"]:
        strongest = max(result["setting"]["changes"])
        given, own = (
            statistics.mean(
                row["members"][f"changed by {strongest:.0%}, {which}"]["members_alone"]
            )
            for which in (GIVEN, OWN)
        )
        assert own > given, (row["training"], own, given)


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    rows = []
    for row in result["trainings"]:
        learned = f"{row['train_accuracy']:.1f} % of training images right"
        title = f"64 channels, {row['training']} ({learned}), ensembles of "
        for size, paper in PAPER.items():
            kind = best(row, size)
            ours = f"{gain(row, kind, size):+.2f} points ({kind}); {SHIFTED} "
            ours += f"{gain(row, SHIFTED, size):+.2f}"
            if size <= len(result[NETWORKS]["accuracy"]):
                ours += f"; {NETWORKS} {apart(result, size):+.2f}"
            rows.append((f"{title}{size}", f"+{paper} points", ours))
    return rows


def plot(record: dict[str, Any], figure: Path) -> None:
    """Accuracy over the size of the ensemble: a panel for each training."""
    import matplotlib.pyplot as plt

    rows = record["result"]["trainings"]
    drawing, axes = plt.subplots(
        1, len(rows), figsize=(11, 4.6), sharey=True, layout="constrained"
    )
    ticks = (1, 2, 3, 5, 8, 16)
    for ax, row in zip(axes, rows, strict=True):
        for kind, curve in row["members"].items():
            place = list(row["members"]).index(kind)
            style = {"color": f"C{place // 2}", "ls": "-" if place % 2 else ":"}
            if kind == SHIFTED:
                style = {"color": "0.4", "ls": "-"}
            values = curve["accuracy"]
            ax.plot(range(1, len(values) + 1), values, lw=1.5, label=kind, **style)
        if row["training"] == AUGMENTED:
            values = record["result"][NETWORKS]["accuracy"]
            sizes = range(1, len(values) + 1)
            ax.plot(sizes, values, "k^-", ms=5, lw=1, label=NETWORKS)
        title = f"{row['training']}\n{row['train_accuracy']:.1f} % of training images"
        ax.set(title=title, xlabel="members", xscale="log")
        ax.set_xticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy on test images, %")
    handles, labels = axes[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
