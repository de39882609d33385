"""Table 1: features of splines move as the image does; the Internal-Net's do not.

The image is shifted by up to r pixels, the last feature map is shifted back by a
quarter of that, and compared with the feature map of the image itself (cosine
similarity, 2 pixels cut at the border). For photographs, and for Gaussian noise, with
the trained networks of `experiments.accuracy`. Beside it, how often the predicted class
is the same for two shifts of one image.

That measure, the paper's, counts whatever does not move, too: a constant map is moved
perfectly, and much of what these networks make of noise is constant. So it is also
taken of what varies: the mean of each map is subtracted first.

The paper has its Internal-Net above the baseline. So it was here, for as long as it
began so small that most of its features were constant. As it should begin, with cosines
as its basis, it learns better, and moves as badly as cosines do: at fractions, both
give a constant a pattern that stays where it is. Splines do not.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from contconv.metrics import class_consistency, shift_equivariance
from contconv.models import BaselineNet
from experiments.claims.accuracy import KINDS, NAMES
from experiments.shared import networks as _networks
from experiments.shared.networks import Setting, Trained

# Of the whole maps, and of what is left without their means.
WHOLE, VARYING = ("images", "noise"), ("images, varying", "noise, varying")


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
    images = _networks.tested(sets, config.images)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    inputs = dict(zip(WHOLE, (images, noise), strict=True))
    found = []
    for net in _networks.all_trained(KINDS, config.setting, sets):
        row: dict[str, Any] = {"network": net.kind.network, "seed": net.seed}
        for name, varying in zip(WHOLE, VARYING, strict=True):
            pictures, shifts = inputs[name], config.max_shifts
            row[name] = [similarity(net.model.features, pictures, r) for r in shifts]
            row[varying] = [
                similarity(lambda x, net=net: variation(net, x), pictures, r)
                for r in shifts
            ]
        row["consistency"] = [consistency(net, images, r) for r in config.max_shifts]
        found.append(row)
    setting = asdict(config.setting)
    return {"networks": found, "max_shifts": list(config.max_shifts), **setting}


def similarity(
    features: Callable[[Tensor], Tensor], images: Tensor, max_shift: int
) -> float:
    """Table 1's number, for one network and one largest shift."""
    generator = torch.Generator().manual_seed(max_shift)
    quarter = Fraction(1, BaselineNet.shrinks)
    values = shift_equivariance(
        features, images, max_shift, scale=quarter, generator=generator
    )
    return values.mean().item()


def variation(net: Trained, images: Tensor) -> Tensor:
    """The last feature maps without the mean of each."""
    maps = net.model.features(images)
    return maps - maps.mean((2, 3), keepdim=True)


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
    """What holds: splines are above in what varies, the Internal-Net is as cosines."""
    for row in result["networks"]:
        values = [value for name in (*WHOLE, *VARYING) for value in row[name]]
        assert all(-1 <= value <= 1 for value in values)
    if result["epochs"] > 1:
        count = len(result["max_shifts"])
        for name in WHOLE:
            pairs = zip(
                means(result, "mlp", name), means(result, "cosine", name), strict=True
            )
            assert all(abs(a - b) < 0.06 for a, b in pairs), name
        for name in ("images, varying", "consistency"):
            assert above(result, "spline", name) == count, name


def above(result: dict[str, Any], network: str, what: str) -> int:
    """At how many of the shifts a network is above the baseline."""
    pairs = zip(
        means(result, network, what), means(result, "baseline", what), strict=True
    )
    return sum(ours > theirs for ours, theirs in pairs)


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    rows = []
    for network in ("mlp", "spline", "cosine", "strided"):
        parts = [_beside(result, network, name, ".3f") for name in (*WHOLE, *VARYING)]
        what = f"Table 1: shift equivariance, {NAMES[network]}"
        rows.append((what, "above the baseline at every shift", "; ".join(parts)))
    text = _beside(result, "spline", "consistency", ".1f")
    rows.append((f"The same class for two shifts, %, {NAMES['spline']}", "—", text))
    return rows


def _beside(result: dict[str, Any], network: str, name: str, form: str) -> str:
    """A network beside the baseline, at the smallest and at the largest shift."""
    ours, theirs = (means(result, n, name) for n in (network, "baseline"))
    ends = [
        f"{ours[i]:{form}} against {theirs[i]:{form}} at {result['max_shifts'][i]}"
        for i in (0, -1)
    ]
    count = f"{above(result, network, name)} of {len(ours)}"
    return f"{name}: above at {count} shifts ({', '.join(ends)})"


def plot(record: dict[str, Any], figure: Path) -> None:
    """A panel for each input and measure, and for the class."""
    import matplotlib.pyplot as plt

    result = record["result"]
    shifts = result["max_shifts"]
    drawing, axes = plt.subplots(2, 3, figsize=(11, 6.6), layout="constrained")
    panels = zip(axes.T.flat, (*_columns(), "consistency"), strict=False)
    for ax, what in panels:
        for i, (network, name) in enumerate(NAMES.items()):
            ax.plot(shifts, means(result, network, what), "o-", ms=4, label=name)
            for row in result["networks"]:
                if row["network"] == network:
                    ax.plot(shifts, row[what], color=f"C{i}", lw=0.6, alpha=0.5)
        ax.set(xlabel="largest shift, pixels", xticks=shifts)
    for ax, title in zip(axes[0], ("photographs", "Gaussian noise"), strict=False):
        ax.set(title=title, ylabel="similarity of the feature maps")
    for ax in axes[1, :2]:
        ax.set_ylabel("the same without their means")
    axes[0, 2].set(title="predicted class, photographs", ylabel="the same, % of images")
    axes[1, 2].axis("off")
    axes[1, 2].legend(*axes[0, 0].get_legend_handles_labels(), loc="upper left")
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def _columns() -> list[str]:
    """The measures, input by input."""
    return [name for pair in zip(WHOLE, VARYING, strict=True) for name in pair]
