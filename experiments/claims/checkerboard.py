"""Checkerboards: new CC layers leave a third of what transposed convolutions do.

Odena et al. (2016) found checkerboards in what transposed convolutions make. At a whole
factor every output pixel has the weights of its phase, and a constant comes out even
only if the weights of all phases have the same sum. Those of transposed convolution and
pixel shuffle are drawn apart; those of a convolution after interpolation are the same.
A continuous kernel has equal sums, at every scale, if its Fourier transform is zero at
all whole frequencies but zero (Strang and Fix, 1971). A learned one comes near, as it
is smooth but for its jump to zero at the edge of the support: in the cosine basis, the
odd frequencies are to blame. Functions that are periodic over the support have equal
sums by construction, before training and after it.

Measured without training, on constants and on white noise; and in grey levels on flat
colours, after a short training to enlarge photographs by 2 or by random factors. That
leaves about as little in all of them, and does not make it vanish; nor do random
factors. What is even by construction stays so.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from rich.progress import track

from contconv import resize
from contconv.kernels import CosineKernel, SeparableKernel
from experiments.shared.doubling import Network, flatness, psnr, train
from experiments.shared.upsamplers import (
    UPSAMPLERS,
    FourierKernel,
    at_scale,
    constant_pattern,
    noise_pattern,
    of_constants,
)


@dataclass(frozen=True)
class Config:
    """The layers, and the networks around them that are trained."""

    channels: int = 4  # in and out of the layers that are not trained
    scales: tuple[float, ...] = (2, 1.5, 2.3, 3)  # the first one is that of all others
    seeds: int = 8
    trained: tuple[tuple[str, str], ...] = (
        *((name, "fixed") for name in UPSAMPLERS),
        ("CC cosine", "random"),
        ("CC Fourier", "random"),
    )
    width: int = 16  # channels of the networks
    random_scales: tuple[float, float] = (1.2, 3.5)
    patch: int = 24  # pixels of the small image
    batch: int = 8
    steps: int = 1000
    train_seeds: int = 3


QUICK = Config(
    channels=4,
    scales=(2, 1.5),
    seeds=4,
    trained=(("pixel shuffle", "fixed"), ("CC Fourier", "random")),
    width=4,
    batch=2,
    steps=5,
    train_seeds=1,
)


def run(config: Config) -> dict[str, Any]:
    """The patterns without training, where they come from, and after training."""
    torch.set_num_threads(1)
    return {
        "untrained": [
            untrained(config, name, scale)
            for name, scale in track(_cases(config), "untrained")
        ],
        "pictures": {name: picture(new) for name, new in UPSAMPLERS.items()},
        "uneven_sums": {
            "cosine": uneven_sums(CosineKernel(1, 1, (3,))),
            "Fourier": uneven_sums(FourierKernel(1, 1, (3,))),
        },
        "bicubic_psnr": psnr(lambda small: resize(small, scale=2)),
        "trained": [
            trained(config, name, scales)
            for name, scales in track(config.trained, "training")
        ],
    }


def _cases(config: Config) -> list[tuple[str, float]]:
    """Every layer at every scale that it has."""
    return [
        (name, scale)
        for name, scale in itertools.product(UPSAMPLERS, config.scales)
        if name.startswith("CC") or scale == config.scales[0]
    ]


def untrained(config: Config, name: str, scale: float) -> dict[str, Any]:
    """Both patterns of new layers, for each seed."""
    patterns = []
    for seed in range(config.seeds):
        torch.manual_seed(seed)
        layer = UPSAMPLERS[name](config.channels, config.channels)
        upsample = at_scale(layer, scale)
        outputs = of_constants(upsample, config.channels, scale)
        noise = noise_pattern(upsample, config.channels, scale)
        patterns.append((constant_pattern(outputs), noise))
    constant, noise = zip(*patterns, strict=True)
    return {"name": name, "scale": scale, "constant": constant, "noise": noise}


def picture(new: Any) -> list[list[float]]:
    """A part of what one new layer makes of a constant, its root mean square as 1."""
    torch.manual_seed(0)
    output = of_constants(new(1, 1), 1, 2)[0, 0, :12, :12]
    output = output / output.square().mean().sqrt() * output.mean().sign()
    return [[round(value, 3) for value in row] for row in output.tolist()]


def uneven_sums(kernel: SeparableKernel) -> list[float]:
    """How much the sum over the pixels changes with the phase, for each function."""
    phases = (torch.arange(64, dtype=torch.float64) + 0.5) / 64
    distances = phases[:, None] - torch.arange(-3, 4)
    inside = distances.abs() < kernel.kernel_size[0] / 2
    values = kernel.axis_basis(distances, 0) * inside[..., None]
    return values.sum(1).std(0, correction=0).tolist()


def trained(config: Config, name: str, scales: str) -> dict[str, Any]:
    """What flat colours look like after training, and how well photographs do."""
    runs = []
    tested = [scale for case, scale in _cases(config) if case == name]
    for seed in range(config.train_seeds):
        torch.manual_seed(seed)
        network = Network(name, config.width)
        before = [flatness(network, scale) for scale in tested]
        limits = config.random_scales if scales == "random" else (2.0, 2.0)
        train(network, config.steps, config.batch, config.patch, limits)
        after = [flatness(network, scale) for scale in tested]
        runs.append({"before": before, "after": after, "psnr": psnr(network)})
    return {"name": name, "scales": scales, "tested": tested, "runs": runs}


# What each does to a constant.
OWN_PHASES = ("transposed 3x3", "transposed 4x4", "pixel shuffle")
EVEN = ("nearest + conv", "bilinear + conv", "CC Fourier")
SMOOTH = ("CC cosine", "CC mlp")

DOT: Any = {"ms": 4, "mfc": "none", "mec": "black"}


def check(result: dict[str, Any]) -> None:
    """Uneven from phases of their own, half as much from smooth kernels; else even.

    From periodic kernels so at every scale, and after training.
    """
    for row in result["untrained"]:
        pattern = fmean(row["constant"])
        assert row["name"] not in OWN_PHASES or pattern > 0.7, row
        assert row["name"] not in SMOOTH or 0.05 < pattern < 0.5, row
        assert row["name"] not in (*EVEN, "shuffle ICNR") or pattern < 1e-6, row
    sums = result["uneven_sums"]
    assert max(sums["Fourier"]) < 1e-9, sums
    # Those of the odd frequencies change with the phase, no others.
    assert [change > 1e-9 for change in sums["cosine"]] == [False, True, False], sums
    for row in result["trained"]:
        for levels in after(row):
            assert (levels < 0.001) == (row["name"] in EVEN), row


def after(row: dict[str, Any]) -> list[float]:
    """Grey levels after training at each scale, as the mean over the seeds."""
    seeds = [run["after"] for run in row["runs"]]
    return [fmean(levels) for levels in zip(*seeds, strict=True)]


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The rows of the table."""
    new = {
        row["name"]: fmean(row["constant"])
        for row in result["untrained"]
        if row["scale"] == 2
    }
    learned = {
        row["name"]: after(row)[0]
        for row in result["trained"]
        if row["scales"] == "fixed"
    }
    rows = (
        ("unevenness of a doubled constant, untrained, of 1", new, "{} {:.2f}"),
        ("the same after training, grey levels of 255", learned, "{} {:.1f}"),
    )
    return [
        (what, "not in the paper", ", ".join(form.format(*pair) for pair in of.items()))
        for what, of, form in rows
    ]


def plot(record: dict[str, Any], figure: Path) -> None:
    """What constants become, the numbers without training, and those after it."""
    import matplotlib.pyplot as plt

    result = record["result"]
    drawing = plt.figure(figsize=(11, 6.6), layout="constrained")
    panels: Any = drawing.subfigures(2, 1, height_ratios=(1, 2.2))
    top, bottom = panels
    _draw_pictures(top, result["pictures"])
    left, right = bottom.subplots(1, 2)
    _draw_untrained(left, result["untrained"], record["config"]["scales"])
    _draw_trained(right, result, record["config"])
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def _draw_pictures(panel: Any, pictures: dict[str, Any]) -> None:
    axes = panel.subplots(1, len(pictures))
    for ax, (name, rows) in zip(axes, pictures.items(), strict=True):
        ax.imshow(rows, cmap="gray", vmin=-2, vmax=2)
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, size=8)
    panel.colorbar(axes[0].images[0], ax=list(axes), shrink=0.7)
    panel.suptitle(
        "A constant, doubled by new layers of one channel (root mean square: 1)",
        size=11,
    )


def _draw_untrained(ax: Any, rows: list[dict[str, Any]], scales: list[float]) -> None:
    """Bars at a factor of 2, and dots at the other scales."""
    names = list(UPSAMPLERS)
    for row in rows:
        place, first = names.index(row["name"]), row["scale"] == scales[0]
        if first:
            ax.barh(place - 0.2, fmean(row["constant"]), 0.38, color="tab:blue")
            ax.barh(place + 0.2, fmean(row["noise"]), 0.38, color="0.7")
        else:
            marker = "os^"[scales.index(row["scale"]) - 1]
            for offset, key in ((-0.2, "constant"), (0.2, "noise")):
                ax.plot(fmean(row[key]), place + offset, marker, **DOT)
    _finish(ax, names, scales, ("of a constant, x2", "of noise (its power), x2"))
    ax.set_xlabel("unevenness, over the root mean square or the mean power", size=9)
    ax.set_title("untrained", size=10)


def _draw_trained(ax: Any, result: dict[str, Any], config: dict[str, Any]) -> None:
    """Bars for the factor of 2, dots for other scales; the PSNR beside the name."""
    names, scales = [], config["scales"]
    for place, row in enumerate(result["trained"]):
        levels = after(row)
        ax.barh(place, levels[0], 0.6, color="tab:blue")
        for scale, level in zip(row["tested"][1:], levels[1:], strict=True):
            marker = "os^"[scales.index(scale) - 1]
            ax.plot(level, place, marker, **DOT)
        psnr_mean = fmean(run["psnr"] for run in row["runs"])
        at = ", random scales" if row["scales"] == "random" else ""
        names.append(f"{row['name']}{at}\n{psnr_mean:.2f} dB")
    _finish(ax, names, scales, ("on flat colours, x2",))
    ax.set_xlabel("root mean square unevenness, in grey levels of 255", size=9)
    title = f"trained on photographs, {config['steps']} steps; PSNR at x2"
    ax.set_title(f"{title}\n(bicubic: {result['bicubic_psnr']:.2f} dB)", size=10)


def _finish(
    ax: Any, names: list[str], scales: list[float], bars: tuple[str, ...]
) -> None:
    """Names on the left, the legend of bars and dots."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    ax.set_yticks(range(len(names)), names, size=8)
    ax.invert_yaxis()
    handles: list[Any] = [
        Patch(color=color, label=label)
        for color, label in zip(("tab:blue", "0.7"), bars, strict=False)
    ]
    for scale, marker in zip(scales[1:], "os^", strict=False):
        handles.append(Line2D([], [], label=f"x{scale:g}", marker=marker, ls="", **DOT))
    ax.legend(handles=handles, fontsize=8, loc="best")
