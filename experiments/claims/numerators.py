"""Small numerators: a fast periodic engine, but a kernel seen at few places.

At a scale of p/q there are p x p different filters, each a strided convolution: the
paper's own engine, fastest where p is small. But training at p/q sees the kernel at
distances 1/p of a pixel apart only. For numerators from 1 on, and the q that brings p/q
closest to one scale: what a layer costs, and the error at unseen scales of a kernel
that learned bicubic at p/q.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import nn

from benchmarks.measure import alternate
from contconv import ContinuousConv2d
from contconv.kernels import CubicKernel
from experiments.shared import photographs as _photographs
from experiments.shared.photographs import NET, cosines, rms


@dataclass(frozen=True)
class Config:
    """The scales, the kernels, how long to train, and the layer that is timed."""

    near: float = 0.7
    float_scale: float = 0.70710678
    numerators: tuple[int, ...] = (1, 2, 3, 5, 7, 8, 9, 11, 12)
    pixels: int = 176  # width and height of the part that is learned from
    patches: tuple[int, int] = (32, 48)  # pixels a side; for p/q the multiples of q
    test_scales: tuple[float, float] = (0.3, 1.3)
    test_count: int = 100
    widths: tuple[int, ...] = (64, 64, 64, 16)
    frequencies: int = 8
    iterations: int = 500
    seeds: int = 3
    channels: int = 64  # of the layer that is timed, in and out, with 3x3 cosines
    timed_pixels: int = 64
    rounds: int = 31


QUICK = Config(
    numerators=(1, 5),
    pixels=64,
    patches=(14, 28),
    test_count=6,
    widths=(32, 32, 32, 8),
    iterations=100,
    seeds=1,
    channels=16,
    rounds=5,
)

LARGEST = 8  # 64 phases; the periodic engine refuses more
ENGINES = ("periodic", "factored", "auto")
COLORS = {"periodic": "tab:green", "factored": "tab:purple", "auto": "tab:brown"}


def run(config: Config) -> dict[str, Any]:
    """Times first, in turns, while the machine is as it is; then the trainings."""
    torch.set_num_threads(1)
    times = [
        timed(config, scale)
        for scale in track([closest(config.near, p) for p in config.numerators], "time")
    ]
    cases = [
        (name, p, seed)
        for name in (NET, cosines(config.frequencies))
        for p in (*config.numerators, None)
        for seed in range(config.seeds)
    ]
    runs = [learn(config, *case) for case in track(cases, "learning")]
    return {"times": times, "runs": runs}


def closest(near: float, numerator: int) -> Fraction:
    """The scale of that numerator, in lowest terms, closest to ``near`` as a factor."""
    scales = {
        Fraction(numerator, q)
        for q in range(1, math.ceil(2 * numerator / near) + 2)
        if math.gcd(numerator, q) == 1
    }
    return min(scales, key=lambda scale: abs(math.log(scale / near)))


@torch.no_grad()
def timed(config: Config, scale: Fraction) -> dict[str, Any]:
    """Milliseconds of a forward pass in each engine, and of `F.conv2d` beside it."""
    channels, q = config.channels, scale.denominator
    pixels = q * round(config.timed_pixels / q)
    image = torch.randn(1, channels, pixels, pixels)
    layers = {
        engine: ContinuousConv2d(channels, channels, 3, scale=scale, engine=engine)
        for engine in ENGINES
        if engine != "periodic" or scale.numerator <= LARGEST
    }
    output = torch.randn(1, channels, *layers["auto"](image).shape[2:])
    conv = nn.Conv2d(channels, channels, 3, padding=1)
    calls = {name: lambda layer=layer: layer(image) for name, layer in layers.items()}
    times = alternate({"conv": lambda: conv(output), **calls}, config.rounds, 0.02)
    return {
        "numerator": scale.numerator,
        "denominator": scale.denominator,
        "chosen": layers["auto"].explain(image).engine,
        "ms": {name: round(time["ms"], 4) for name, time in times.items()},
    }


def learn(
    config: Config, name: str, numerator: int | None, seed: int
) -> dict[str, Any]:
    """One training at p/q, or at a float scale: errors there and at unseen scales."""
    torch.manual_seed(seed)
    unseen = [
        _photographs.uniform(*config.test_scales) for _ in range(config.test_count)
    ]
    scale, engine = config.float_scale, "auto"
    sizes = range(config.patches[0], config.patches[1] + 1)
    if numerator is not None:
        scale = closest(config.near, numerator)
        # The grid then ends with a period, and its phases are always the same.
        sizes = [size for size in sizes if size % scale.denominator == 0]
        engine = "periodic" if numerator <= LARGEST else "auto"
    errors = _photographs.learn_at(
        (scale, scale),
        _photographs.new_kernel(name, config.widths),
        CubicKernel(),
        unseen,
        pixels=config.pixels,
        sizes=sizes,
        iterations=config.iterations,
        engine=engine,
    )
    del errors["each"]
    return {"kernel": name, "numerator": numerator, "seed": seed, **errors}


def chosen(
    result: dict[str, Any], name: str, numerator: int | None
) -> list[dict[str, Any]]:
    """The runs of a kernel at a numerator, one for each seed."""
    return [
        row
        for row in result["runs"]
        if (row["kernel"], row["numerator"]) == (name, numerator)
    ]


def ratio(row: dict[str, Any], engine: str) -> float:
    """What an engine takes, in convolutions of its output's size."""
    return row["ms"][engine] / row["ms"]["conv"]


def kernels_of(result: dict[str, Any]) -> list[str]:
    """The kernels that were trained."""
    return list(dict.fromkeys(row["kernel"] for row in result["runs"]))


def check(result: dict[str, Any]) -> None:
    """With the numerator, the periodic engine gets slower, and kernels get better."""
    rows = [row for row in result["times"] if "periodic" in row["ms"]]
    if len(rows) > 2:  # times of the small variant, on a busy machine, tell nothing
        assert ratio(rows[-1], "periodic") > ratio(rows[0], "periodic"), rows
    most = result["times"][-1]["numerator"]
    for name in kernels_of(result):
        few, many = (rms(chosen(result, name, p)) for p in (1, most))
        assert few > 4 * many, (name, few, many)


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Time and error at some numerators."""
    parts = []
    for row in result["times"]:
        if row["numerator"] in (1, 3, 8):
            parts.append(
                f"{row['numerator']}/{row['denominator']}: "
                f"{ratio(row, 'periodic'):.1f} convolutions, error "
                + ", ".join(
                    f"{rms(chosen(result, name, row['numerator'])):.2g} ({name})"
                    for name in kernels_of(result)
                )
            )
    whole = ", ".join(
        f"{rms(chosen(result, name, None)):.2g} ({name})" for name in kernels_of(result)
    )
    claim = (
        "Periodic engine: small numerators are fast, but generalize worse (time; root "
        "mean square error at unseen scales, grey levels)"
    )
    ours = "; ".join([*parts, f"trained at a float scale: {whole}"])
    return [(claim, "mentioned, without numbers", ours)]


def plot(record: dict[str, Any], figure: Path) -> None:
    """Time of each engine, and errors of each kernel, over the numerator."""
    import matplotlib.pyplot as plt

    result = record["result"]
    drawing, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    _draw_times(left, result)
    _draw_errors(right, result)
    numerators = [row["numerator"] for row in result["times"]]
    labels = [
        f"{row['numerator']}/{row['denominator']}\n{row['numerator'] ** 2}"
        for row in result["times"]
    ]
    for ax in (left, right):
        ax.set_xticks(numerators, labels, size=8)
        ax.set_xlabel("scale p/q, and how many sub-pixel phases it has")
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def _draw_times(ax: Any, result: dict[str, Any]) -> None:
    for engine in ENGINES:
        rows = [row for row in result["times"] if engine in row["ms"]]
        ax.plot(
            [row["numerator"] for row in rows],
            [ratio(row, engine) for row in rows],
            "o--" if engine == "auto" else "o-",
            color=COLORS[engine],
            label="the engine chosen" if engine == "auto" else engine,
        )
    ax.axhline(1, color="grey", ls=":", label="F.conv2d")
    ax.set_yscale("log")
    ax.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    ax.minorticks_off()
    ax.set_ylabel("time of a forward pass, in F.conv2d of its output's size")
    ax.set_title("Time", size=11)
    ax.legend(fontsize=8)


def _draw_errors(ax: Any, result: dict[str, Any]) -> None:
    numerators = [row["numerator"] for row in result["times"]]
    for name, color in zip(kernels_of(result), ("tab:blue", "tab:orange"), strict=True):
        for key, style in (("unseen", "o-"), ("train", "^:")):
            errors = [rms(chosen(result, name, p), key) for p in numerators]
            where = "unseen scales" if key == "unseen" else "p/q itself"
            ax.plot(numerators, errors, style, color=color, label=f"{name}, at {where}")
        whole = rms(chosen(result, name, None))
        label = f"{name}, trained at a float scale"
        ax.axhline(whole, color=color, ls="--", lw=1, label=label)
    ax.set_yscale("log")
    ax.set_ylabel("root mean square error, grey levels")
    ax.set_title("Error after learning bicubic at p/q", size=11)
    ax.legend(fontsize=8)
