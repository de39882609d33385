"""The networks that enlarge, which `superres` compares; each is trained once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from safetensors.torch import load_file
from torch import nn

from contconv.models import SuperResolutionNet
from experiments.shared import networks as _networks
from experiments.shared.benchmarks import Scales, measured
from experiments.shared.calls import enlarged
from experiments.shared.rivals import Cubic, LocalImplicit, MetaUpscale, Shuffle
from training.superres.fit import fit
from training.superres.photographs import Photographs, load_photographs
from training.superres.recipe import Recipe

OURS, PLAIN, FIXED, WHOLE = "continuous", "plain kernel", "x4 + cubic", "shuffles"
LIIF, META, CUBIC = "LIIF", "Meta-SR", "cubic"


@dataclass(frozen=True)
class Setting:
    """How large the networks are, and how long they train."""

    channels: int = 32
    blocks: int = 8
    steps: int = 2000
    batch_size: int = 8
    patch: int = 32
    photographs: int = 400
    held_out: int = 8


FULL = Setting()
QUICK = Setting(
    channels=4,
    blocks=1,
    steps=2,
    batch_size=2,
    patch=12,
    photographs=4,
    held_out=1,
)

# Channels at the size of the output: with so many, the network has 9 % less parameters
# than that of `FIXED`.
_REFINE = 24

_MAKE: dict[str, Callable[[int, int], nn.Module]] = {
    CUBIC: lambda channels, blocks: Cubic(),
    OURS: lambda channels, blocks: SuperResolutionNet(
        channels, blocks, refine_channels=_REFINE
    ),
    PLAIN: lambda channels, blocks: SuperResolutionNet(
        channels, blocks, refine_channels=_REFINE, scale_aware=False
    ),
    FIXED: lambda channels, blocks: Shuffle(channels, blocks, (4,)),
    WHOLE: lambda channels, blocks: Shuffle(channels, blocks, (2, 3, 4)),
    LIIF: LocalImplicit,
    META: MetaUpscale,
}

NAMES = tuple(_MAKE)

# What each learns from: the range of scales, and whether only whole ones.
_SCALES = {FIXED: ((4.0, 4.0), True), WHOLE: ((2.0, 4.0), True)}


def new(name: str, setting: Setting) -> nn.Module:
    """Not trained."""
    return _MAKE[name](setting.channels, setting.blocks)


def trained(
    name: str, setting: Setting, photographs: Photographs | None = None
) -> nn.Module:
    """A network as it was kept, or trained now.

    Args:
        name: Which one.
        setting: How it is trained.
        photographs: Those of the setting, if they are loaded already.
    """
    torch.manual_seed(0)
    model, path = new(name, setting), _path(name, setting)
    model = model.to(memory_format=torch.channels_last)  # type: ignore
    if not list(model.parameters()):
        return model
    if not path.exists():
        scales, whole = _SCALES.get(name, ((1.0, 4.0), False))
        recipe = Recipe(
            epochs=1,
            batch_size=setting.batch_size,
            steps=setting.steps,
            patch=setting.patch,
            scales=scales,
            whole=whole,
            held_out=setting.held_out,
            targets=2 if name in (OURS, PLAIN) else 1,
            balanced=True,
            fourier=1.0,
            ema=0.99,
        )
        fit(model, photographs or learned_from(setting), recipe, progress=False)
        _networks.keep(model, path)
    model.load_state_dict(load_file(path))
    return model.eval()


def learned_from(setting: Setting) -> Photographs:
    """The photographs of a setting: the first ones."""
    return load_photographs("bsd400", most=setting.photographs)


def _path(name: str, setting: Setting) -> Path:
    """Where a network is kept."""
    file = "superres-" + name.lower().replace(" + ", "-").replace(" ", "-")
    return _networks.place(file, setting, committed=setting == FULL)


def quality(
    models: Mapping[str, nn.Module],
    pictures: Iterable[tuple[str, int]],
    scales: Iterable[Scales],
) -> list[dict[str, Any]]:
    """What `measured` says of each network, by set and scale."""
    todo = [(*part, scale) for part, scale in product(pictures, scales)]
    return [
        {
            "name": name,
            "set": part,
            "scales": list(scale),
            **measured(partial(enlarged, model), part, scale, pictures=count),
        }
        for part, count, scale in track(todo, "scales")
        for name, model in models.items()
    ]


def value(result: dict[str, Any], name: str, part: str, scales: list[float]) -> float:
    """PSNR in dB, of what `quality` measured."""
    wanted = (name, part, scales)
    rows = (
        r for r in result["quality"] if (r["name"], r["set"], r["scales"]) == wanted
    )
    return next(rows)["psnr"]
