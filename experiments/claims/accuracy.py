"""Continuous convolutions classify CIFAR-10 better, if their kernels are smooth.

The paper's two networks, trained alike: the same recipe, channels and number of layers,
and the same seeds; for each network the learning rate that was best in a trial with
6,400 images, for splines and the Internal-Net that of the cosines. The continuous one
is shown as the paper has it, shrinking gradually, with splines, with cosines and with
the Internal-Net, all with about as many weights; and, with cosines, at the scales of
the baseline: what the layer does without what the scales do. The images are JPEG
copies, the networks small and trained briefly, for two CPU cores: all are less accurate
than the paper's.
"""

import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.shared import networks as _networks
from experiments.shared.costs import multiply_adds, time_per_image
from experiments.shared.networks import Kind, Setting, Trained

NAMES = {
    "baseline": "nn.Conv2d",
    "strided": "CC at the scales of nn.Conv2d",
    "cosine": "CC, gradual, cosines",
    "mlp": "CC, gradual, Internal-Net",
    "spline": "CC, gradual, splines",
}
KINDS = tuple(Kind(name) for name in NAMES)
PAPER = {"baseline": 87.14, "cc": 87.81}
COSTS = ("parameters", "multiply_adds", "milliseconds")


@dataclass(frozen=True)
class Config:
    """The networks, and how their time is taken."""

    setting: Setting = _networks.FULL
    timed_images: int = 64
    rounds: int = 9


QUICK = Config(setting=_networks.QUICK, timed_images=4, rounds=3)


def run(config: Config) -> dict[str, Any]:
    """Train, test and time."""
    setting = config.setting
    sets = _networks.images(setting)
    rows = [row(net) for net in _networks.all_trained(KINDS, setting, sets)]
    models = {kind.network: _networks.new_network(kind, setting) for kind in KINDS}
    times = time_per_image(models, config.timed_images, config.rounds)
    costs = {
        name: {
            "parameters": sum(p.numel() for p in model.parameters()),
            "multiply_adds": multiply_adds(model),
            "milliseconds": times[name],
        }
        for name, model in models.items()
    }
    return {"networks": rows, "costs": costs, "setting": asdict(setting)}


def row(net: Trained) -> dict[str, Any]:
    """What training said, epoch by epoch."""
    accuracies = [100 * epoch["test_accuracy"] for epoch in net.history]
    losses = [epoch["loss"] for epoch in net.history]
    seconds = sum(epoch["seconds"] for epoch in net.history)
    names = {"network": net.kind.network, "seed": net.seed, "seconds": round(seconds)}
    return {**names, "loss": losses, "accuracy": accuracies}


def check(result: dict[str, Any]) -> None:
    """As many parameters; with splines above the baseline by the paper's points."""
    costs = result["costs"]
    for name in ("strided", "cosine", "spline"):
        assert costs[name]["parameters"] == costs["baseline"]["parameters"]
    if result["setting"]["epochs"] > 1:
        means = {
            name: statistics.mean(_networks.accuracies(result, name)) for name in NAMES
        }
        assert means["strided"] > means["baseline"], means
        gain = means["spline"] - means["baseline"]
        assert gain > PAPER["cc"] - PAPER["baseline"], means


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""

    def stated(network: str) -> str:
        found = _networks.stated(_networks.accuracies(result, network), ".2f")
        return f"{found} %"

    def gained(network: str) -> str:
        gains = _networks.gains(result, network, "baseline")
        return f"{_networks.stated(gains, '+.2f')} points"

    def costs(network: str) -> str:
        ours, theirs = (result["costs"][n] for n in (network, "baseline"))
        ratios = [ours[key] / theirs[key] for key in COSTS]
        return "{:.2f}, {:.2f}, {:.1f}".format(*ratios)

    setting = result["setting"]
    small = f"{setting['channels']} channels, {setting['epochs']} epochs"
    paper = f"{PAPER['baseline']} %"
    return [
        (f"CIFAR-10, BaselineNet ({small} here)", paper, stated("baseline")),
        ("CIFAR-10, CC-Net over it, cosines", "+0.67 points", gained("cosine")),
        ("CIFAR-10, CC-Net over it, Internal-Net", "+0.67 points", gained("mlp")),
        ("CIFAR-10, CC-Net over it, splines", "+0.67 points", gained("spline")),
        ("the same, cosines, at the baseline's scales", "", gained("strided")),
        (
            "parameters, multiply-adds and time of an image, over the baseline's",
            "",
            "; ".join(f"{NAMES[name]}: {costs(name)}" for name in list(NAMES)[1:]),
        ),
    ]


def plot(record: dict[str, Any], figure: Path) -> None:
    """Accuracy and loss over the epochs, and what the networks cost."""
    import matplotlib.pyplot as plt

    result = record["result"]
    drawing, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for i, (network, name) in enumerate(NAMES.items()):
        rows = [row for row in result["networks"] if row["network"] == network]
        for ax, key in zip(axes, ("accuracy", "loss"), strict=False):
            for j, row in enumerate(rows):
                epochs = range(1, len(row[key]) + 1)
                label = name if j == 0 else None
                ax.plot(epochs, row[key], "o-", ms=3, lw=1, color=f"C{i}", label=label)
    axes[0].set(xlabel="epoch", ylabel="accuracy on test images, %")
    axes[1].set(xlabel="epoch", ylabel="loss, training")
    axes[1].legend(fontsize=7)
    _draw_costs(axes[2], result)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def _draw_costs(ax: Any, result: dict[str, Any]) -> None:
    units = ("parameters", "multiply-\nadds", "time of\nan image")
    base = result["costs"]["baseline"]
    for i, network in enumerate(NAMES):
        ratios = [result["costs"][network][key] / base[key] for key in COSTS]
        places = [j + 0.16 * (i - 2) for j in range(3)]
        bars = ax.bar(places, ratios, 0.15, color=f"C{i}")
        ax.bar_label(bars, [f"{ratio:.2g}" for ratio in ratios], fontsize=7)
    ax.set_xticks(range(3), units)
    ax.set_ylabel("over the baseline's")
