"""One network enlarges by any factor, better than a fixed factor and cubic resizing.

A network with a continuous layer, and what people use in its place, all on the same
encoder, all learning what cubic resizing lacks, from the same photographs in as many
steps: a pixel shuffle by 4 whose result is resized, pixel shuffles by 2, 3 and 4, LIIF
and Meta-SR; also the continuous layer with a kernel that does not know the scale. The
networks are small and trained briefly, for two CPU cores, with one seed each.

Measured as the benchmarks are: Y, 8 bits, as many pixels shaved as the scale. The woman
of Set5 is among the photographs that all learned from, larger: so "Set5 unseen" leaves
her out, and the usual mean of five is given only to compare with others. Scales above 4
were not trained for.
"""

import math
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from benchmarks.contender import Contender
from experiments import _enlargers
from experiments._benchmarks import Scales, measured
from experiments._calls import costs
from experiments._enlargers import CUBIC, FIXED, NAMES, OURS, Setting

# What nothing that was learned from shows.
UNSEEN = ("Set5 unseen", "B100")

SETS = {
    "Set5": "Set5 (learned from one of its five)",
    "Set5 unseen": "the other four of Set5",
    "B100": "B100",
}

COSTS = {
    "parameters": "parameters",
    "multiply_adds": "multiply-\nadds",
    "milliseconds": "time",
    "memory": "memory",
}


@dataclass(frozen=True)
class Config:
    """The networks, what they are tried on, and the call whose costs are taken."""

    setting: Setting = _enlargers.FULL
    networks: tuple[str, ...] = NAMES
    sets: tuple[str, ...] = ("Set5", *UNSEEN)
    scales: tuple[Scales, ...] = (
        *((s, s) for s in (1.3, 1.7, 2, 2.5, 3, 3.3, 4, 6, 8)),
        (2, 3.5),
    )
    pictures: int | None = None  # of each set; all unless given
    side: int = 128
    enlarged_side: int = 346
    rounds: int = 9


QUICK = Config(
    setting=_enlargers.QUICK,
    sets=UNSEEN,
    scales=((4, 4), (8, 8), (2, 3.5)),
    pictures=1,
    side=12,
    enlarged_side=33,
    rounds=3,
)


def run(config: Config) -> dict[str, Any]:
    """Train what is not kept, and measure."""
    setting = config.setting
    networks = {
        name: _enlargers.trained(name, setting)
        for name in track(config.networks, "networks")
    }
    cases = list(product(config.sets, config.scales, networks))
    rows = [
        {"set": of, "scales": scales, "network": name}
        | measured(_enlarge(networks[name]), of, scales, pictures=config.pictures)
        for of, scales, name in track(cases, "pictures")
    ]
    call = (setting, config.side, config.enlarged_side)
    makers = {name: partial(contender, name, *call) for name in networks}
    spent = costs(makers, config.rounds)
    for name, model in networks.items():
        spent[name]["parameters"] = sum(p.numel() for p in model.parameters())
    return {"rows": rows, "costs": spent, "setting": asdict(setting)}


def _enlarge(model: torch.nn.Module) -> Any:
    def enlarge(images: Tensor, size: tuple[int, int]) -> Tensor:
        return model(images, size=size)

    return enlarge


def contender(name: str, setting: Setting, side: int, enlarged_side: int) -> Contender:
    """A call of a network, to take its time and memory."""
    model = _enlargers.new(name, setting).eval()
    model = model.to(memory_format=torch.channels_last)  # type: ignore
    image = torch.rand(1, 3, side, side)
    return Contender(partial(model, size=(enlarged_side,) * 2), image)


def check(result: dict[str, Any]) -> None:
    """Above cubic resizing at every scale; above the fixed factor, on fewer numbers.

    Of pictures that were not learned from; the second up to 4, on average.
    """
    for row in result["rows"]:
        assert row["psnr"] > 10 and 0 < row["ssim"] <= 1, row
    if result["setting"]["steps"] < 100:
        return
    ours, fixed = (result["costs"][name] for name in (OURS, FIXED))
    for key in ("parameters", "multiply_adds"):
        assert ours[key] < fixed[key], (key, ours, fixed)
    for of in UNSEEN:
        gained = gains(result, of, OURS)
        assert min(gained.values()) > 0, (of, gained)
        learned = [key for keys in list(groups(result).values())[:2] for key in keys]
        ahead = [gained[key] - gains(result, of, FIXED)[key] for key in learned]
        assert fmean(ahead) > 0, (of, ahead)


def values(
    result: dict[str, Any], of: str, network: str, measure: str = "psnr"
) -> dict[tuple[float, float], float]:
    """What a network reaches on a set, by the scales."""
    return {
        tuple(row["scales"]): row[measure]
        for row in result["rows"]
        if (row["set"], row["network"]) == (of, network)
    }


def gains(
    result: dict[str, Any], of: str, network: str
) -> dict[tuple[float, float], float]:
    """PSNR over that of cubic resizing, by the scales."""
    cubic = values(result, of, CUBIC)
    own = values(result, of, network)
    return {scales: psnr - cubic[scales] for scales, psnr in own.items()}


def groups(result: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """The scales: whole ones, those between, and those above what was trained."""
    every = list(values(result, result["rows"][0]["set"], CUBIC))
    beyond = [scales for scales in every if max(scales) > 4]
    whole = [scales for scales in every if scales in ((2, 2), (3, 3), (4, 4))]
    between = [scales for scales in every if scales not in (*whole, *beyond)]
    return {"2, 3, 4": whole, "between": between, "6, 8": beyond}


def relative(result: dict[str, Any], network: str) -> dict[str, float]:
    """What a network costs over what ours does; without what nobody knows."""
    own, ours = result["costs"][network], result["costs"][OURS]
    return {key: own[key] / ours[key] for key in COSTS if ours[key] and own[key]}


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The rows of the table: means over scales, and costs."""
    names = [name for name in result["costs"] if name != CUBIC]

    def stated(of: str, name: str) -> str:
        gained = gains(result, of, name)
        means = (fmean(gained[s] for s in part) for part in groups(result).values())
        return f"{name} " + ", ".join(f"{mean:+.2f}" for mean in means)

    def spent(name: str) -> str:
        return f"{name} " + ", ".join(
            f"{v:.2f}" for v in relative(result, name).values()
        )

    scales = "; ".join(groups(result))
    sets = dict.fromkeys(row["set"] for row in result["rows"])
    rows = [
        (
            f"super-resolution, {SETS[of]}, PSNR over cubic resizing, dB ({scales})",
            "; ".join(stated(of, name) for name in names),
        )
        for of in sets
    ]
    what = "its parameters, multiply-adds, time and memory, over those of continuous"
    rows.append((what, "; ".join(spent(name) for name in names if name != OURS)))
    return [(claim, "not in the paper", ours) for claim, ours in rows]


def plot(record: dict[str, Any], figure: Path) -> None:
    """What each gains over cubic resizing at each scale, and what it costs."""
    import matplotlib.pyplot as plt

    result = record["result"]
    drawing, axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
    for ax, of in zip(axes, UNSEEN, strict=False):
        _draw_gains(ax, result, of)
    _draw_costs(axes[2], result)
    handles, labels = axes[0].get_legend_handles_labels()
    drawing.legend(handles, labels, fontsize=8, loc="outside lower center", ncols=8)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def _draw_gains(ax: Any, result: dict[str, Any], of: str) -> None:
    """A line over the scales; a cross where the axes have different ones."""
    for i, name in enumerate(NAMES):
        if name not in result["costs"]:
            continue
        gained = sorted(gains(result, of, name).items())
        alike = [(y, gain) for (y, x), gain in gained if y == x]
        style: Any = {"color": "0.6"} if name == CUBIC else {"color": f"C{i - 1}"}
        width = 2 if name == OURS else 1
        ax.plot(*zip(*alike, strict=True), "o-", ms=3, lw=width, label=name, **style)
        for (y, x), gain in gained:
            if y != x:
                ax.plot(math.sqrt(y * x), gain, "x", ms=6, **style)
    ax.axvspan(4, 8, color="0.95", zorder=0)
    ax.set(xscale="log", xlabel="scale; cross: 2 x 3.5", title=SETS[of])
    ax.set_xticks([1.3, 2, 3, 4, 6, 8], ["1.3", "2", "3", "4", "6", "8"])
    ax.minorticks_off()
    ax.set_ylabel("PSNR over cubic resizing, dB")


def _draw_costs(ax: Any, result: dict[str, Any]) -> None:
    names = [name for name in NAMES if name in result["costs"] and name != CUBIC]
    spent: dict[str, float] = {}
    for i, name in enumerate(names):
        spent = relative(result, name)
        place = (i - (len(names) - 1) / 2) * 0.8 / len(names)
        bars = ax.bar(
            [j + place for j in range(len(spent))], list(spent.values()), 0.12
        )
        ax.bar_label(bars, [f"{v:.2g}" for v in spent.values()], fontsize=6)
    ax.set_xticks(range(len(spent)), [COSTS[key] for key in spent], size=8)
    ax.set_ylabel("of one call, over those of the continuous layer's")
