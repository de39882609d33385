"""Super-resolution: gates and large kernels in place of the residual blocks.

`SuperResolutionNet` with other blocks in its encoder, about as many parameters, the
same photographs, steps and seed, each trained once: attention without parameters, as
SPAN has it; gates in place of ReLU; a kernel of 11x11 for a quarter of the channels;
filters that are a sum with the product of three while they learn, and one afterwards;
and filters that are the mean over the eight turns. PSNR of Y in 8 bits on the four
pictures of Set5 that are not among the photographs, and the first 25 of B100. Few
steps: they favour what learns fast. Time is that of a picture of 128x128 pixels
enlarged by 2.7, the networks in turns; filters that were made of others are folded.
"""

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from rich.progress import track
from safetensors.torch import load_file
from torch import nn

from contconv.models import SuperResolutionNet
from experiments.shared import calls as _calls
from experiments.shared import enlargers as _enlargers
from experiments.shared import networks as _networks
from experiments.shared.benchmarks import Scales, measured
from experiments.shared.blocks import BLOCKS, folded
from experiments.shared.enlargers import Setting
from training.superres.fit import fit
from training.superres.photographs import Photographs
from training.superres.recipe import Recipe

PLAIN = "as it is"


@dataclass(frozen=True)
class Config:
    """The networks, their training, and what they are measured on."""

    setting: Setting = field(default_factory=lambda: Setting(steps=1500))
    pictures: tuple[tuple[str, int], ...] = (("Set5 unseen", 4), ("B100", 25))
    scales: tuple[Scales, ...] = ((2, 2), (3, 3), (4, 4), (8, 8))
    timed: int = 128
    timed_scale: float = 2.7
    rounds: int = 7


QUICK = Config(
    setting=_enlargers.QUICK,
    pictures=(("Set5 unseen", 1),),
    scales=((2, 2),),
    timed=16,
    rounds=2,
)


def run(config: Config) -> dict[str, Any]:
    """Train all that are not kept; quality by set and scale, and costs."""
    photographs = _enlargers.learned_from(config.setting)
    models = {
        name: trained(name, config.setting, photographs)
        for name in track(BLOCKS, "networks")
    }
    todo = [(*part, scale) for part in config.pictures for scale in config.scales]
    quality = [
        {
            "blocks": name,
            "set": part,
            "scales": list(scale),
            **measured(partial(_calls.enlarged, model), part, scale, pictures=count),
        }
        for part, count, scale in track(todo, "scales")
        for name, model in models.items()
    ]
    costs = _calls.enlarging(models, config.timed, config.timed_scale, config.rounds)
    return {"quality": quality, "costs": costs, "setting": asdict(config.setting)}


def network(name: str, setting: Setting) -> SuperResolutionNet:
    """Not trained."""
    net = SuperResolutionNet(setting.channels, setting.blocks)
    blocks = [BLOCKS[name](setting.channels) for _ in range(setting.blocks)]
    net.encoder.blocks = nn.Sequential(*blocks)
    return net.to(memory_format=torch.channels_last)  # type: ignore


def trained(name: str, setting: Setting, photographs: Photographs) -> nn.Module:
    """A network as it was kept, or trained now; folded."""
    torch.manual_seed(0)
    model = network(name, setting)
    path = _networks.place(f"blocks-{name}", setting, committed=False)
    if not path.exists():
        recipe = Recipe(
            epochs=1,
            batch_size=setting.batch_size,
            steps=setting.steps,
            patch=setting.patch,
            held_out=setting.held_out,
            balanced=True,
            fourier=1.0,
            ema=0.99,
        )
        fit(model, photographs, recipe, progress=False)
        _networks.keep(folded(model), path)
    model = folded(model)
    model.load_state_dict(load_file(path))
    return model.eval()


def value(result: dict[str, Any], name: str, part: str, scale: float) -> float:
    """PSNR in dB."""
    wanted = (name, part, [scale, scale])
    rows = (
        r for r in result["quality"] if (r["blocks"], r["set"], r["scales"]) == wanted
    )
    return next(rows)["psnr"]


def gains(result: dict[str, Any], name: str, part: str) -> list[float]:
    """PSNR above the blocks that the network has, in dB, for each scale."""
    scales = list(dict.fromkeys(row["scales"][0] for row in result["quality"]))
    return [
        value(result, name, part, scale) - value(result, PLAIN, part, scale)
        for scale in scales
    ]


def check(result: dict[str, Any]) -> None:
    """All enlarge; and as many parameters, within a twentieth."""
    plain = result["costs"][PLAIN]["parameters"]
    for row in result["quality"]:
        assert 10 < row["psnr"] < 60 and 0 < row["ssim"] <= 1
    if result["setting"]["steps"] >= 100:
        for name, cost in result["costs"].items():
            assert abs(cost["parameters"] / plain - 1) < 0.05, name


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    plain = result["costs"][PLAIN]
    title = (
        f"Blocks of the encoder, {result['setting']['steps']} steps, dB at 2, 3, 4 and "
        "8 over residual ones"
    )
    rows = []
    for name, cost in result["costs"].items():
        if name == PLAIN:
            continue
        each = ", ".join(
            f"{part}: "
            + ", ".join(f"{gain:+.2f}" for gain in gains(result, name, part))
            for part in dict.fromkeys(row["set"] for row in result["quality"])
        )
        ratios = [cost[k] / plain[k] for k in ("parameters", "milliseconds")]
        told = f"{each}; parameters and time times {ratios[0]:.2f} and {ratios[1]:.2f}"
        rows.append((f"{title}: {name}", "—", told))
    return rows


def plot(record: dict[str, Any], figure: Path) -> None:
    """Mean gain over the time of a picture, for each set."""
    import matplotlib.pyplot as plt

    result = record["result"]
    sets = list(dict.fromkeys(row["set"] for row in result["quality"]))
    drawing, axes = plt.subplots(
        1, len(sets), figsize=(4.5 * len(sets), 4), squeeze=False, layout="constrained"
    )
    for axis, part in zip(axes[0], sets, strict=True):
        for i, (name, cost) in enumerate(result["costs"].items()):
            place = (cost["milliseconds"], mean(gains(result, name, part)))
            axis.plot(*place, "o", color=f"C{i}")
            axis.annotate("  " + name, place, fontsize=9)
        most = max(cost["milliseconds"] for cost in result["costs"].values())
        axis.set(title=part, xlabel="milliseconds a picture", xlim=(0, 1.5 * most))
        axis.axhline(0, color="grey", lw=0.8)
    axes[0][0].set_ylabel("mean over the scales, dB over residual blocks")
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
