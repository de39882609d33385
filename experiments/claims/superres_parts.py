"""Super-resolution: from x2 on, two targets gain what other blocks do not.

`SuperResolutionNet` with other blocks in its encoder, about as many parameters:
attention without parameters, as SPAN has it; gates in place of ReLU; a kernel of 11x11
for a quarter of the channels; filters that are a sum with the product of three while
they learn, and one afterwards; and filters that are the mean over the eight turns. Or
with its own blocks, and a continuous kernel of 12 cosines for each axis in place of 8,
or 24 channels at the size of the output in place of 16. Or as it is, but learning from
two targets in each step: in seven tenths of the steps small patches are made at a scale
of 4, and each is enlarged to the large patch and to one made up to 1.6 times smaller,
of one encoding. And, on the same encoder, a pixel shuffle by 4 whose output is resized
by cubic. These two see few or no patches that were made small by less, and lose at 1.3.

All learn from the same photographs with as many steps and the same seed, once: few
steps, which favour what learns fast. The loss at each scale counts by what cubic
resizing errs there. PSNR of Y in 8 bits on the four pictures of Set5 that are not among
the photographs, and the first 25 of B100. Time is that of a picture of 128x128 pixels
enlarged by 2.7, the networks in turns; filters that were made of others are folded.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from rich.progress import track
from safetensors.torch import load_file
from torch import nn

from contconv.models import SuperResolutionNet
from contconv.models.superres.scale_aware import ScaleAwareKernel
from experiments.shared import calls as _calls
from experiments.shared import enlargers as _enlargers
from experiments.shared import networks as _networks
from experiments.shared.benchmarks import Scales
from experiments.shared.blocks import BLOCKS, folded
from experiments.shared.enlargers import FIXED, Setting
from experiments.shared.rivals import Shuffle
from training.superres.fit import fit
from training.superres.photographs import Photographs
from training.superres.recipe import Recipe

PLAIN, TARGETS, FINER = "as it is", "two targets", "12 cosines"
WIDER = "24 channels at the output"
OTHERS = [name for name in BLOCKS if name != PLAIN]
NAMES = (PLAIN, TARGETS, FINER, WIDER, FIXED, *OTHERS)


@dataclass(frozen=True)
class Config:
    """The networks, their training, and what they are measured on."""

    setting: Setting = field(default_factory=lambda: Setting(steps=1500))
    pictures: tuple[tuple[str, int], ...] = (("Set5 unseen", 4), ("B100", 25))
    scales: tuple[Scales, ...] = (
        (1.3, 1.3),
        (2, 2),
        (3, 3),
        (4, 4),
        (8, 8),
    )
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
        for name in track(NAMES, "networks")
    }
    quality = _enlargers.quality(models, config.pictures, config.scales)
    costs = _calls.enlarging(models, config.timed, config.timed_scale, config.rounds)
    return {"quality": quality, "costs": costs, "setting": asdict(config.setting)}


def network(name: str, setting: Setting) -> nn.Module:
    """Not trained."""
    channels, blocks = setting.channels, setting.blocks
    if name == FIXED:
        return Shuffle(channels, blocks, (4,))
    if name == WIDER:
        return SuperResolutionNet(channels, blocks, refine_channels=24)
    net = SuperResolutionNet(channels, blocks)
    if name == TARGETS:
        return net
    if name == FINER:
        refine = net.kernel.kernel.head.shape[0]
        net.kernel = ScaleAwareKernel(
            "cosine", channels, refine, (4, 4), frequencies=12
        )
    else:
        own = [BLOCKS[name](channels) for _ in range(blocks)]
        net.encoder.blocks = nn.Sequential(*own)
    return net


def trained(name: str, setting: Setting, photographs: Photographs) -> nn.Module:
    """A network as it was kept, or trained now; folded."""
    torch.manual_seed(0)
    model = network(name, setting).to(memory_format=torch.channels_last)  # type: ignore
    path = _networks.place(f"parts-{name}", setting, committed=False)
    if not path.exists():
        recipe = Recipe(
            epochs=1,
            batch_size=setting.batch_size,
            steps=setting.steps,
            patch=setting.patch,
            held_out=setting.held_out,
            scales=(4.0, 4.0) if name == FIXED else (1.0, 4.0),
            whole=name == FIXED,
            targets=2 if name == TARGETS else 1,
            balanced=True,
            fourier=1.0,
            ema=0.99,
        )
        fit(model, photographs, recipe, progress=False)
        _networks.keep(folded(model), path)
    model = folded(model)
    model.load_state_dict(load_file(path))
    return model.eval()


def gains(result: dict[str, Any], name: str, part: str) -> list[float]:
    """PSNR above the network as it is, in dB, for each scale."""
    scales = list(dict.fromkeys(row["scales"][0] for row in result["quality"]))
    return [
        _enlargers.value(result, name, part, [scale, scale])
        - _enlargers.value(result, PLAIN, part, [scale, scale])
        for scale in scales
    ]


def check(result: dict[str, Any]) -> None:
    """From x2 on two targets gain most, below they lose; other blocks are as large."""
    plain = result["costs"][PLAIN]["parameters"]
    for row in result["quality"]:
        assert 10 < row["psnr"] < 60 and 0 < row["ssim"] <= 1
    if result["setting"]["steps"] >= 100:
        for name in OTHERS:
            assert abs(result["costs"][name]["parameters"] / plain - 1) < 0.05, name
        for part in dict.fromkeys(row["set"] for row in result["quality"]):
            others = (FINER, WIDER, *OTHERS)
            most = max(mean(gains(result, name, part)[1:]) for name in others)
            small, *larger = gains(result, TARGETS, part)
            assert small < 0 < most < mean(larger), part


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    plain = result["costs"][PLAIN]
    title = (
        f"Parts of the network, {result['setting']['steps']} steps, dB at 1.3, 2, 3, "
        "4 and 8 over what it has"
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
    """Gain over the scale, for each set; and the time of a picture in the legend."""
    import matplotlib.pyplot as plt

    result = record["result"]
    sets = list(dict.fromkeys(row["set"] for row in result["quality"]))
    scales = list(dict.fromkeys(row["scales"][0] for row in result["quality"]))
    drawing, axes = plt.subplots(
        1,
        len(sets),
        figsize=(4.5 * len(sets), 4.6),
        squeeze=False,
        layout="constrained",
    )
    base = result["costs"][PLAIN]["milliseconds"]
    for axis, part in zip(axes[0], sets, strict=True):
        for i, (name, cost) in enumerate(result["costs"].items()):
            label = f"{name} ({cost['milliseconds'] / base:.2f})"
            style = {"lw": 2.5} if name == TARGETS else {"lw": 1.2}
            found = gains(result, name, part)
            axis.plot(scales, found, "o-", ms=4, color=f"C{i}", label=label, **style)
        axis.set(title=part, xlabel="scale")
    axes[0][0].set_ylabel("PSNR over the network as it is, dB")
    handles, labels = axes[0][0].get_legend_handles_labels()
    title = "time of a picture, over that as it is, in brackets"
    drawing.legend(handles, labels, loc="outside lower center", ncols=4, title=title)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
