"""Table 1: features of continuous convolutions move as the image does.

The image is shifted by up to r pixels, the last feature map is shifted back by a
quarter of that, and compared with the feature map of the image itself (cosine
similarity, 2 pixels cut at the border). For photographs, and for Gaussian noise, with
the trained networks of `experiments.accuracy`. Beside it, how often the predicted class
is the same for two shifts of one image.
"""

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from contconv.metrics import class_consistency, shift_equivariance
from experiments import _networks
from experiments._networks import Setting, Trained
from experiments.accuracy import KINDS, NAMES

INPUTS = ("images", "noise")


@dataclass(frozen=True)
class Config:
    """The networks, the shifts, and how many images."""

    setting: Setting = _networks.FULL
    max_shifts: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    images: int = 500


QUICK = Config(setting=_networks.QUICK, max_shifts=(1, 8), images=20)


def run(config: Config) -> dict[str, Any]:
    """Similarity and consistency for every network, input and largest shift."""
    sets = _networks.images(config.setting)
    count = config.images
    rows = torch.arange(count) * len(sets.test.labels) // count
    images = _networks.normalized(sets, sets.test.images[rows])
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    inputs = {"images": images, "noise": noise}
    found = []
    for net in _networks.all_trained(KINDS, config.setting, sets):
        row: dict[str, Any] = {"network": net.kind.network, "seed": net.seed}
        for name, pictures in inputs.items():
            row[name] = [similarity(net, pictures, r) for r in config.max_shifts]
        row["consistency"] = [consistency(net, images, r) for r in config.max_shifts]
        found.append(row)
    setting = asdict(config.setting)
    return {"networks": found, "max_shifts": list(config.max_shifts), **setting}


def similarity(net: Trained, images: Tensor, max_shift: int) -> float:
    """Table 1's number, for one network and one largest shift."""
    generator = torch.Generator().manual_seed(max_shift)
    quarter = Fraction(1, net.model.shrinks)
    values = shift_equivariance(
        net.model.features, images, max_shift, scale=quarter, generator=generator
    )
    return values.mean().item()


def consistency(net: Trained, images: Tensor, max_shift: int) -> float:
    """The percentage of images whose class two shifts do not change."""
    generator = torch.Generator().manual_seed(max_shift)
    same = class_consistency(net.model, images, max_shift, generator=generator)
    return 100 * same.mean().item()


def means(result: dict[str, Any], network: str, what: str) -> list[float]:
    """The mean over the seeds, for each largest shift."""
    rows = [row[what] for row in result["networks"] if row["network"] == network]
    return torch.tensor(rows, dtype=torch.float64).mean(0).tolist()


def check(result: dict[str, Any]) -> None:
    """Continuous convolutions with splines are above the baseline at every shift."""
    for row in result["networks"]:
        assert all(-1 <= value <= 1 for name in INPUTS for value in row[name])
    if result["epochs"] > 1:
        for name in INPUTS:
            pairs = zip(
                means(result, "spline", name),
                means(result, "baseline", name),
                strict=True,
            )
            assert all(ours > theirs for ours, theirs in pairs), name


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    rows = []
    for network in ("strided", "cosine", "mlp", "spline"):
        for name in INPUTS:
            ours, theirs = (means(result, n, name) for n in (network, "baseline"))
            above = sum(a > b for a, b in zip(ours, theirs, strict=True))
            text = (
                f"{above} of {len(ours)}: {ours[0]:.3f} against {theirs[0]:.3f} at "
                f"{result['max_shifts'][0]}, {ours[-1]:.3f} against {theirs[-1]:.3f} "
                f"at {result['max_shifts'][-1]}"
            )
            what = f"Shift equivariance on {name}, {NAMES[network]}"
            rows.append((what, "above the baseline at every shift", text))
    return rows


def plot(record: dict[str, Any], figure: Path) -> None:
    """A panel for photographs, for noise, and for the class."""
    import matplotlib.pyplot as plt

    result = record["result"]
    shifts = result["max_shifts"]
    drawing, axes = plt.subplots(1, 3, figsize=(11, 3.5), layout="constrained")
    for ax, what in zip(axes, (*INPUTS, "consistency"), strict=True):
        for i, (network, name) in enumerate(NAMES.items()):
            ax.plot(shifts, means(result, network, what), "o-", ms=4, label=name)
            for row in result["networks"]:
                if row["network"] == network:
                    ax.plot(shifts, row[what], color=f"C{i}", lw=0.6, alpha=0.5)
        ax.set(xlabel="largest shift, pixels", xticks=shifts)
    axes[0].set(title="photographs", ylabel="similarity of the feature maps")
    axes[1].set(title="Gaussian noise", ylabel="similarity of the feature maps")
    axes[2].set(title="predicted class, photographs", ylabel="the same, % of images")
    axes[0].legend(fontsize=8)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
