"""Strides that are learned mend most of what poor ones cost, if pixels have a price.

The networks of `learned_scale`, from poor strides, with antialias: kernels are as wide
as the scale wants, so that the gradient goes by way of the width, too. More pixels
always seem to be better: without more, all scales grow to 1 at once, and the network
sees too little of the image at a time. With a price on multiply-adds, which grows with
their square so that it presses where they are many, they settle where pixels are worth
it. DiffStride's own pooling, after layers that keep the size, is there to be compared:
its scales shrink last, where they cost nothing, and its good strides are not its best.
What is mended of what poor strides cost is said of each beside its own bar.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.claims import learned_scale
from experiments.claims.learned_scale import (
    LEARNED,
    WAYS,
    last,
    mended,
    trained,
    ways,
)
from experiments.shared.networks import stated

FAMILIES = {
    "antialias": "antialias",
    "priced": "antialias, with a price on multiply-adds",
    "spectral": "DiffStride's pooling",
}


@dataclass(frozen=True)
class Config:
    """The classifiers, as `learned_scale` trains them.

    Attributes:
        price: What the family ``"priced"`` pays for all multiply-adds that there can
            be, in units of the cross entropy.
    """

    base: learned_scale.Config = field(
        default_factory=lambda: learned_scale.Config(epochs=12, scale_rate=5e-2)
    )
    families: tuple[str, ...] = tuple(FAMILIES)
    price: float = 3.0


QUICK = Config(learned_scale.QUICK)


def run(config: Config) -> dict[str, Any]:
    """Accuracy in percent and scales, for each family and way to train."""
    prices, found = {"priced": config.price}, {}
    for family in config.families:
        # Where nothing is learned, a price changes nothing.
        shared = family == "priced" and "antialias" in found
        alike = found["antialias"]["runs"] if shared else []
        runs = [row for row in alike if row["way"] != LEARNED]
        ways_left = (LEARNED,) if runs else WAYS
        runs += trained(config.base, family, prices.get(family, 0.0), ways_left)
        found[family] = {"runs": runs}
    return found


def check(result: dict[str, Any]) -> None:
    """With learned scales more is right than with poor ones, the more with a price."""
    for found in result.values():
        if len(found["runs"]) == len(ways(found)):
            return  # one seed, and nothing learned
        assert mended(found) > 0
    if "priced" in result:
        assert mended(result["priced"]) > mended(result["antialias"]) + 0.2


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """A row for each family."""
    return [
        (
            f"CIFAR-10 from poor first strides, {FAMILIES[family]}",
            "—",
            "; ".join(
                f"{way}: {stated(last(result[family], way), '.1f')} %"
                for way in ways(result[family])
            )
            + f"; {_mended(result[family])}",
        )
        for family in result
    ]


def _mended(found: dict[str, Any]) -> str:
    share = mended(found)
    return f"mended: {100 * share:.0f} %" if share <= 1 else "above the good ones"


def plot(record: dict[str, Any], figure: Path) -> None:
    """The accuracy, epoch by epoch, and the learned scales, for each family."""
    import matplotlib.pyplot as plt

    result = record["result"]
    drawing, axes = plt.subplots(
        2, len(result), figsize=(9, 5.4), sharey="row", layout="constrained"
    )
    for (family, found), (accuracy, scales) in zip(result.items(), axes.T, strict=True):
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
        accuracy.set_title(FAMILIES[family], size=10)
        accuracy.legend(frameon=False, fontsize=8)
        scales.legend(frameon=False, fontsize=8)
        scales.set(xlabel="epoch", ylim=(0, None))
    axes[0, 0].set_ylabel("test accuracy, %")
    axes[1, 0].set_ylabel("scale, mean of both axes")
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
