"""One network at several scale sequences is an ensemble, and more accurate.

The members share all parameters; they differ in the scales of the continuous layers,
whose product and final shape stay. What makes ensembles gain is looked for in two
directions: how large the changes of the scales are, and whether the network saw such
changes while it was trained.

Training decides: networks trained at fixed scales gain next to nothing, those with
jitter do at every size, with many members the more, the larger the changes. But they
gain less than in the paper, and no more than jitter costs a single network.
"""

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from contconv import ScaleEnsemble
from contconv.nn import continuous_layers, scales_of
from contconv.nn.schedules import ScaleSequence, jittered, random
from experiments.shared import networks as _networks
from experiments.shared.networks import Kind, Setting, Trained

KINDS = (Kind("spline"), Kind("spline", 0.15))

# Gains in points of accuracy, over a single network.
PAPER = {2: 1.7, 3: 2.4}


@dataclass(frozen=True)
class Config:
    """The networks, the members, and how the members differ."""

    setting: Setting = _networks.FULL
    test_images: int = 2000
    members: int = 16
    changes: tuple[float, ...] = (0.05, 0.15, 0.3)
    evenness: float = 4.0  # of random shares of the overall scale
    orders: int = 50  # random orders of the members, over which sizes are averaged


QUICK = Config(
    setting=_networks.QUICK, test_images=40, members=3, changes=(0.15,), orders=3
)


def run(config: Config) -> dict[str, Any]:
    """The accuracy over the number of members, for every network and kind of change."""
    sets = _networks.images(config.setting)
    rows = _networks.spread(sets.test, config.test_images)
    images = _networks.normalized(sets, sets.test.images[rows])
    labels = sets.test.labels[rows]
    found = []
    for net in _networks.all_trained(KINDS, config.setting, sets):
        own = _networks.in_batches(net.model, images)
        row = {
            "jitter": net.kind.jitter,
            "seed": net.seed,
            "own": _percent(own, labels),
            "sequences": {
                name: over_members(net, sequences, images, labels, config.orders)
                for name, sequences in families(net, config).items()
            },
        }
        found.append(row)
    return {"networks": found, "setting": asdict(config.setting)}


def families(net: Trained, config: Config) -> dict[str, list[ScaleSequence]]:
    """Sequences that differ alike; the same for every network."""
    own, layers = scales_of(net.model), len(continuous_layers(net.model))

    def drawn(
        draw: Callable[[torch.Generator], ScaleSequence],
    ) -> list[ScaleSequence]:
        generator = torch.Generator().manual_seed(0)
        return [draw(generator) for _ in range(config.members)]

    made = {
        f"changed by {amount:.0%}": drawn(
            lambda g, amount=amount: jittered(own, amount, generator=g)
        )
        for amount in config.changes
    }
    made["random shares"] = drawn(
        lambda g: random(layers, 1 / 4, evenness=config.evenness, generator=g)
    )
    return made


@torch.no_grad()
def over_members(
    net: Trained,
    sequences: list[ScaleSequence],
    images: Tensor,
    labels: Tensor,
    orders: int,
) -> dict[str, list[float]]:
    """Accuracy in percent for 1, 2, ... members, and of each member alone.

    The first member is at the network's own scales; the others join in random order,
    and the mean is over several orders.
    """
    ensemble = ScaleEnsemble(net.model, [None, *sequences[1:]])
    parts = [torch.stack(ensemble.members(part)) for part in images.split(250)]
    return joined(torch.cat(parts, 1).softmax(2), labels, orders)


def joined(members: Tensor, labels: Tensor, orders: int) -> dict[str, list[float]]:
    """The same, from what each member says of each class, ``[members, n, classes]``."""
    generator = torch.Generator().manual_seed(0)
    totals = torch.zeros(len(members), dtype=torch.float64)
    for _ in range(orders):
        others = 1 + torch.randperm(len(members) - 1, generator=generator)
        order = torch.cat([torch.zeros(1, dtype=torch.int64), others])
        sums = members[order].cumsum(0)
        totals += (sums.argmax(2) == labels).double().mean(1)
    singles = (members[1:].argmax(2) == labels).double().mean(1)
    return {
        "accuracy": (100 * totals / orders).tolist(),
        "members_alone": (100 * singles).tolist(),
    }


def _percent(logits: Tensor, labels: Tensor) -> float:
    return 100 * (logits.argmax(1) == labels).double().mean().item()


def gains(result: dict[str, Any], jitter: float, name: str, size: int) -> list[float]:
    """Points that an ensemble of a size is above the network alone, for each seed."""
    rows = [row for row in result["networks"] if row["jitter"] == jitter]
    curves = [row["sequences"][name]["accuracy"] for row in rows]
    return [
        curve[size - 1] - row["own"] for curve, row in zip(curves, rows, strict=True)
    ]


def best(result: dict[str, Any], size: int) -> tuple[float, str, list[float]]:
    """The training and the changes whose ensembles of this size gain most."""
    first = result["networks"][0]["sequences"]
    jitters = sorted({row["jitter"] for row in result["networks"]})
    found = [
        (jitter, name, gains(result, jitter, name, size))
        for jitter in jitters
        for name in first
    ]
    return max(found, key=lambda one: statistics.mean(one[2]))


def check(result: dict[str, Any]) -> None:
    """An ensemble of one is the network; some ensembles of three gain."""
    for row in result["networks"]:
        for family in row["sequences"].values():
            assert abs(family["accuracy"][0] - row["own"]) < 0.1
    if result["setting"]["epochs"] > 1:
        _, _, points = best(result, 3)
        assert statistics.mean(points) > 0


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    rows = []
    for size, paper in PAPER.items():
        jitter, name, points = best(result, size)
        how = f"trained with {jitter:.0%} jitter; {name}"
        ours = f"{_networks.stated(points, '+.2f')} points ({how})"
        rows.append((f"Ensemble of {size} scale sequences", f"+{paper} points", ours))
    return rows


def plot(record: dict[str, Any], figure: Path) -> None:
    """Accuracy over the size of the ensemble: a panel for each way of training."""
    import matplotlib.pyplot as plt

    result = record["result"]
    jitters = sorted({row["jitter"] for row in result["networks"]})
    drawing, axes = plt.subplots(
        1, len(jitters), figsize=(9, 3.8), sharey=True, layout="constrained"
    )
    for ax, jitter in zip(axes, jitters, strict=True):
        rows = [row for row in result["networks"] if row["jitter"] == jitter]
        for i, name in enumerate(rows[0]["sequences"]):
            curves = torch.tensor([row["sequences"][name]["accuracy"] for row in rows])
            sizes = range(1, curves.shape[1] + 1)
            ax.plot(sizes, curves.mean(0), "o-", ms=3, color=f"C{i}", label=name)
            for curve in curves:
                ax.plot(sizes, curve, color=f"C{i}", lw=0.6, alpha=0.5)
        fixed = (
            "fixed scales" if jitter == 0 else f"scales changed by up to {jitter:.0%}"
        )
        ax.set(title=f"trained at {fixed}", xlabel="members", xscale="log")
        ax.set_xticks([1, 2, 3, 4, 6, 8, 12, 16], [1, 2, 3, 4, 6, 8, 12, 16])
        ax.minorticks_off()
    axes[0].set_ylabel("accuracy on test images, %")
    axes[0].legend(title="members", fontsize=8)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
