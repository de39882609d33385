"""The network that ships is above cubic resizing by 2.5 dB at 2 and 1.5 dB at 4.

That is of Set5, Y in 8 bits. One of its five pictures was among the photographs that
the network learned from; "Set5 unseen" are the others. `contconv upscale` uses its
weights at every scale. PSNR and SSIM on Set5 and B100 beside those of VDSR, one network
of 665 thousand numbers for three scales (Kim et al., 2016), and of the small network,
which has a third of the parameters and is that of the demo. What the mean over pictures
that were turned and mirrored, enlarged, and laid back adds, and takes. And the command
itself, with a photograph of a megapixel enlarged by 2.7 on two threads: time, and the
peak of its memory, the interpreter and PyTorch in it.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.progress import track
from skimage import data
from torch import Tensor

from contconv import resize
from contconv.models import SuperResolutionNet
from contconv.models.superres.trained import load
from experiments.shared.benchmarks import SCALES, Scales, measured
from experiments.shared.rivals import cubic

VDSR = {
    ("Set5", 2): 37.53,
    ("Set5", 3): 33.66,
    ("Set5", 4): 31.35,
    ("B100", 2): 31.90,
    ("B100", 3): 28.82,
    ("B100", 4): 27.29,
}
AIMS = {2: 2.5, 4: 1.5}
CUBIC, NETS = "cubic", ("clean", "small")
_RUNS = 5  # of the command
MOST = {"clean": 300_000, "small": 100_000}  # parameters


@dataclass(frozen=True)
class Config:
    """What is measured on what."""

    pictures: tuple[tuple[str, int | None], ...] = (
        ("Set5", None),
        ("Set5 unseen", None),
        ("B100", None),
    )
    scales: tuple[Scales, ...] = SCALES
    members: tuple[int, ...] = (2, 4, 8)
    ensembles: tuple[tuple[str, int | None], ...] = (
        ("Set5 unseen", None),
        ("B100", 20),
    )
    ensemble_scales: tuple[int, ...] = (2, 3, 4)
    side: int = 1024
    scale: float = 2.7


QUICK = Config(
    pictures=(("Set5", 1),),
    scales=((2, 2), (4, 4)),
    members=(2,),
    ensembles=(("Set5", 1),),
    ensemble_scales=(2,),
    side=64,
)


def run(config: Config) -> dict[str, Any]:
    """Quality by set and scale, of ensembles, and what the command takes."""
    # First: of a child, systems count what its parent holds when it starts it, too.
    taken = command(config.side, config.scale)
    nets, found = {name: load(name) for name in NETS}, []
    how = {CUBIC: cubic, **{name: _Enlarge(net, 1) for name, net in nets.items()}}
    todo = [(*part, scale) for part in config.pictures for scale in config.scales]
    for part, count, scales in track(todo, "scales"):
        row: dict[str, Any] = {"set": part, "scales": list(scales)}
        for name, enlarge in how.items():
            row[name] = measured(enlarge, part, scales, pictures=count)
        found.append(row)
    return {
        "quality": found,
        "ensembles": [
            _ensemble(nets["clean"], part, count, scale, config.members)
            for part, count in config.ensembles
            for scale in track(config.ensemble_scales, f"ensembles, {part}")
        ],
        "parameters": {
            name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()
        },
        "whole": all(count is None for _, count in config.pictures),
        "command": taken,
    }


def _ensemble(
    net: SuperResolutionNet,
    part: str,
    count: int | None,
    scale: int,
    members: tuple[int, ...],
) -> dict[str, Any]:
    """What members add to one alone in dB, and how many times its processor time.

    Of the times, the median over the pictures.
    """
    found = {}
    for number in (1, *members):
        enlarge = _Enlarge(net, number)
        row = measured(enlarge, part, (scale, scale), pictures=count)
        found[number] = row["psnr"], enlarge.taken
    alone, once = found[1]
    return {
        **{"set": part, "scale": scale},
        "members": {
            str(number): {
                "gain": found[number][0] - alone,
                "times": median(map(truediv, found[number][1], once)),
            }
            for number in members
        },
    }


class _Enlarge:
    """A network as a function of one image and a size; it takes processor seconds."""

    def __init__(self, net: SuperResolutionNet, members: int) -> None:
        self.net, self.members = net, members
        self.taken: list[float] = []  # processor seconds, picture by picture

    def __call__(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        started, out = time.process_time(), images.new_empty(1, 3, *size)
        tiles = self.net.tiles(images[0], size=size, members=self.members)
        for rows, columns, values in tiles:
            out[0, :, rows, columns] = values
        self.taken.append(time.process_time() - started)
        return out


def command(side: int, scale: float) -> dict[str, float]:
    """Seconds and the peak of memory of `contconv upscale`, of a square photograph.

    The medians of a few runs.
    """
    photograph = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None]
    square = resize(photograph, size=side)[0].permute(1, 2, 0).numpy()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.png", Path(folder) / "out.png"
        Image.fromarray(square).save(source)
        arguments = [str(source), str(target), "--scale", str(scale), "--force"]
        runs = [_timed(arguments) for _ in range(_RUNS)]
        with Image.open(target) as made:
            assert made.size == (int(np.ceil(side * scale)),) * 2
    seconds, megabytes = map(median, zip(*runs, strict=True))
    return {"side": side, "scale": scale, "seconds": seconds, "megabytes": megabytes}


def _timed(arguments: list[str]) -> tuple[float, float]:
    run = [sys.executable, "-m", "contconv_cli", "upscale", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    for name in list(environment):
        if name.startswith("MALLOC_"):
            del environment[name]  # as for users
    started = time.perf_counter()
    process = subprocess.Popen(run, env=environment, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - started, _peak(usage) / 2**20


def _peak(usage: resource.struct_rusage) -> int:
    """Bytes; Linux counts in units of 1024."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def check(result: dict[str, Any]) -> None:
    """Above cubic resizing by what was aimed at; small, and quick enough."""
    for name, count in result["parameters"].items():
        assert count <= MOST[name], name
    if result["whole"]:  # time and memory of the small variant tell nothing
        assert result["command"]["seconds"] < 60
        assert result["command"]["megabytes"] < 3 * 1024
    for row in result["ensembles"]:
        assert all(one["gain"] > 0 for one in row["members"].values()), row
    for row in result["quality"]:
        y, x = row["scales"]
        known = result["whole"] and row["set"] == "Set5" and y == x
        aim = AIMS.get(y, 0) if known else 0
        for name in NETS:
            above = row[name]["psnr"] - row[CUBIC]["psnr"]
            assert above > aim, (name, row["set"], row["scales"], above)


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    rows = []
    for part in dict.fromkeys(row["set"] for row in result["quality"]):
        known = [f"{v:.2f} at {s}" for (p, s), v in VDSR.items() if p == part]
        beside = "VDSR: " + ", ".join(known) if known else "—"
        for name in NETS:
            how = f"`contconv upscale --model {name}`"
            claim = f"{how} on {part}, dB (over cubic)"
            rows.append((claim, beside, _stated(result, part, name)))
    rows.append(("the same, mean over turned pictures", "—", _ensembles(result)))
    told = result["command"]
    taken = f"{told['seconds']:.0f} s, {told['megabytes'] / 1024:.1f} GiB"
    claim = f"{told['side']} x {told['side']} pixels by {told['scale']:g}, 2 threads"
    rows.append((claim, "—", taken))
    return rows


def _stated(result: dict[str, Any], part: str, name: str) -> str:
    """What a network makes of a set, scale by scale."""
    each = []
    for row in result["quality"]:
        y, x = row["scales"]
        if row["set"] == part:
            gain = row[name]["psnr"] - row[CUBIC]["psnr"]
            where = f"{y:g}" if x == y else f"{y:g} x {x:g}"
            each.append(f"{row[name]['psnr']:.2f} ({gain:+.2f}) at {where}")
    return ", ".join(each)


def _ensembles(result: dict[str, Any]) -> str:
    said = []
    for row in result["ensembles"]:
        each = ", ".join(
            f"{one['gain']:+.2f} by {number} ({one['times']:.1f} times the time)"
            for number, one in row["members"].items()
        )
        said.append(f"{row['set']} at {row['scale']}, dB: {each}")
    return "; ".join(said)


def plot(record: dict[str, Any], figure: Path) -> None:
    """PSNR over the scale, beside cubic resizing and VDSR."""
    import matplotlib.pyplot as plt

    result = record["result"]
    sets = list(dict.fromkeys(row["set"] for row in result["quality"]))
    drawing, axes = plt.subplots(
        1, len(sets), figsize=(5 * len(sets), 4), squeeze=False, layout="constrained"
    )
    for axis, part in zip(axes[0], sets, strict=True):
        rows = [r for r in result["quality"] if r["set"] == part]
        rows = [r for r in rows if r["scales"][0] == r["scales"][1]]
        x = [row["scales"][0] for row in rows]
        for name in (CUBIC, *NETS):
            axis.plot(x, [r[name]["psnr"] for r in rows], "o-", ms=4, label=name)
        known = [(s, v) for (p, s), v in VDSR.items() if p == part]
        if known:
            x, y = zip(*known, strict=True)
            axis.plot(x, y, "kx", label="VDSR, as published")
        axis.set(xlabel="scale", ylabel="PSNR of Y, dB", title=part)
        axis.legend()
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)
