"""Scales that learn with antialias, and DiffStride's pooling, from poor strides.

The networks of `learned_scale`, twice: with antialias, whose kernels are as wide as the
scale wants, so that the gradient goes by way of the width, too; and with DiffStride's
own pooling after layers that keep the size. What is mended of what poor strides cost is
said of each beside its own bar.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.claims import learned_scale
from experiments.claims.learned_scale import LEARNED, last, mended, ways
from experiments.shared.networks import mean_and_deviation

FAMILIES = {"antialias": "antialias", "spectral": "DiffStride's pooling"}


@dataclass(frozen=True)
class Config:
    """The classifiers, as `learned_scale` trains them."""

    base: learned_scale.Config = field(default_factory=learned_scale.Config)


QUICK = Config(learned_scale.QUICK)


def run(config: Config) -> dict[str, Any]:
    """Accuracy in percent and scales, for each family and way to train."""
    return {
        family: {"runs": learned_scale.trained(config.base, family)}
        for family in FAMILIES
    }


def check(result: dict[str, Any]) -> None:
    """With learned scales more is right than with poor ones."""
    for family in FAMILIES:
        if len(result[family]["runs"]) > len(ways(result[family])):
            assert mended(result[family]) > 0, family


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """A row for each family."""
    return [
        (
            f"CIFAR-10 from poor first strides, {name}",
            "—",
            "; ".join(
                "{}: {:.1f} ± {:.1f} %".format(
                    way, *mean_and_deviation(last(result[family], way))
                )
                for way in ways(result[family])
            )
            + f"; mended: {100 * mended(result[family]):.0f} %",
        )
        for family, name in FAMILIES.items()
    ]


def plot(record: dict[str, Any], figure: Path) -> None:
    """The accuracy, epoch by epoch, and the learned scales, for each family."""
    import matplotlib.pyplot as plt

    drawing, axes = plt.subplots(
        2, len(FAMILIES), figsize=(9, 5.4), sharey="row", layout="constrained"
    )
    for (family, name), (accuracy, scales) in zip(
        FAMILIES.items(), axes.T, strict=True
    ):
        found = record["result"][family]
        for i, way in enumerate(ways(found)):
            for row in (row for row in found["runs"] if row["way"] == way):
                label = way if row["seed"] == 0 else None
                epochs = range(1, len(row["accuracy"]) + 1)
                accuracy.plot(epochs, row["accuracy"], color=f"C{i}", label=label)
        for row in (row for row in found["runs"] if row["way"] == LEARNED):
            layers = zip(*row["scales"], strict=True)
            for i, layer in enumerate(layers):
                label = f"layer {i + 1}" if row["seed"] == 0 else None
                means = [sum(pair) / 2 for pair in layer]
                scales.plot(range(1, len(means) + 1), means, color=f"C{i}", label=label)
        accuracy.set_title(name, size=10)
        accuracy.legend(frameon=False, fontsize=8)
        scales.legend(frameon=False, fontsize=8)
        scales.set(xlabel="epoch", ylim=(0, None))
    axes[0, 0].set_ylabel("test accuracy, %")
    axes[1, 0].set_ylabel("scale, mean of both axes")
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
