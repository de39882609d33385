"""Super-resolution: one network for all scales is above LIIF, level with x4 + cubic.

The paper names it as future work. All have the encoder of `SuperResolutionNet`, learn
what cubic resizing lacks, from the same photographs with as many steps of as many
patches, once. The continuous network learns from two targets in each step, as
`superres_parts` says, and has 24 channels at the size of the output. What people use is
a pixel shuffle by 4 whose output is resized to the scale, a pixel shuffle for each of
2, 3 and 4, or networks that are asked for each pixel, such as LIIF and Meta-SR. The
plain kernel is ours without the scale as input.

PSNR of Y in 8 bits, as many pixels shaved from the border as the scale: at 2, 3 and 4
with the small pictures that come with Set5 and B100, at other scales with those that
`contconv.resize` makes: the four of Set5 that are not among the photographs, and the
first 25 of B100. Nothing was trained above 4. Costs
are those of one picture of 128x128 pixels, enlarged by 2.7.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import track

from experiments.shared import calls as _calls
from experiments.shared import enlargers as _enlargers
from experiments.shared.benchmarks import SCALES, Scales
from experiments.shared.enlargers import CUBIC, FIXED, LIIF, NAMES, OURS, PLAIN, Setting


@dataclass(frozen=True)
class Config:
    """The networks, what they are measured on, and the picture that is timed."""

    setting: Setting = field(default_factory=Setting)
    pictures: tuple[tuple[str, int], ...] = (("Set5 unseen", 4), ("B100", 25))
    scales: tuple[Scales, ...] = SCALES
    timed: int = 128
    timed_scale: float = 2.7
    rounds: int = 7


QUICK = Config(
    setting=_enlargers.QUICK,
    pictures=(("Set5 unseen", 1),),
    scales=((2, 2), (2, 3.5)),
    timed=16,
    rounds=2,
)


def run(config: Config) -> dict[str, Any]:
    """Train all that are not kept; quality by set and scale, and costs."""
    photographs = _enlargers.learned_from(config.setting)
    models = {
        name: _enlargers.trained(name, config.setting, photographs)
        for name in track(NAMES, "networks")
    }
    found = _enlargers.quality(models, config.pictures, config.scales)
    return {
        "quality": found,
        "costs": _calls.enlarging(
            models, config.timed, config.timed_scale, config.rounds
        ),
        "steps": config.setting.steps,
        "batch_size": config.setting.batch_size,
    }


def gain(result: dict[str, Any], name: str, part: str, scales: list[float]) -> float:
    """PSNR above cubic resizing, in dB."""
    return _enlargers.value(result, name, part, scales) - _enlargers.value(
        result, CUBIC, part, scales
    )


def cases(result: dict[str, Any]) -> list[tuple[str, list[float]]]:
    """Every set with every scale."""
    seen = [(row["set"], row["scales"]) for row in result["quality"]]
    return [case for i, case in enumerate(seen) if case not in seen[:i]]


def check(result: dict[str, Any]) -> None:
    """At every scale above cubic and above LIIF; near the fixed network with cubic."""
    for row in result["quality"]:
        assert 10 < row["psnr"] < 60 and 0 < row["ssim"] <= 1
    if result["steps"] < 100:
        return
    for case in cases(result):
        assert gain(result, OURS, *case) > 0
        assert gain(result, OURS, *case) > gain(result, LIIF, *case)
        assert gain(result, OURS, *case) > gain(result, FIXED, *case) - 0.15
    ours, implicit, fixed = (result["costs"][name] for name in (OURS, LIIF, FIXED))
    assert ours["milliseconds"] < implicit["milliseconds"]
    assert ours["memory"] < fixed["memory"]


def compared(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table of all claims."""
    rows = []
    for name in NAMES[1:]:
        each = [
            f"{gain(result, name, 'Set5 unseen', [s, s]):+.2f} at {s:g}"
            for s in (1.7, 2, 3.3, 4, 8)
        ]
        rows.append(
            (
                f"Super-resolution, {result['steps']} steps, dB over cubic on Set5 "
                f"unseen: {name}",
                "future work",
                ", ".join(each),
            )
        )
    over = [gain(result, OURS, *c) - gain(result, FIXED, *c) for c in cases(result)]
    above = (
        f"above at {sum(o > 0 for o in over)} of {len(over)} scales and sets, within "
        f"0.05 dB at {sum(abs(o) < 0.05 for o in over)}, by {min(over):+.2f} to "
        f"{max(over):+.2f} dB"
    )
    rows.append(("One network for all scales against x4 + cubic", "—", above))
    ours = result["costs"][OURS]
    each = [
        f"{name} {cost['milliseconds'] / ours['milliseconds']:.1f}, "
        f"{cost['memory'] / ours['memory']:.1f}"
        for name, cost in result["costs"].items()
        if name not in (CUBIC, OURS) and cost["memory"]
    ]
    told = "; ".join(each)
    rows.append(("Time and memory of enlarging by 2.7, over ours", "—", told))
    return rows


def plot(record: dict[str, Any], figure: Path) -> None:
    """PSNR above cubic over the scale, and over time."""
    import matplotlib.pyplot as plt

    result = record["result"]
    sets = list(dict.fromkeys(row["set"] for row in result["quality"]))
    drawing, axes = plt.subplots(
        1, len(sets) + 1, figsize=(13, 4.4), layout="constrained"
    )
    for axis, part in zip(axes, sets, strict=False):
        _draw_scales(axis, result, part)
    _draw_costs(axes[-1], result, sets[0])
    handles, labels = axes[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=7, fontsize=9)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def _draw_scales(axis: Any, result: dict[str, Any], part: str) -> None:
    alike = [s for p, s in cases(result) if p == part and s[0] == s[1]]
    for i, name in enumerate(NAMES[1:]):
        x = [s[0] for s in alike]
        y = [gain(result, name, part, s) for s in alike]
        style = {"lw": 2.5} if name == OURS else {"lw": 1.2}
        axis.plot(x, y, "o-", ms=4, color=f"C{i}", label=name, **style)
    axis.axhline(0, color="grey", lw=0.8)
    axis.axvspan(4.05, max(4.1, *(s[0] for s in alike)), color="0.93", zorder=0)
    axis.set(title=f"{part} (grey: no network learned from these)", xlabel="scale")
    axis.set_ylabel("PSNR above cubic, dB")


def _draw_costs(axis: Any, result: dict[str, Any], part: str) -> None:
    scales = [s for p, s in cases(result) if p == part]
    for i, name in enumerate(NAMES[1:]):
        mean = sum(gain(result, name, part, s) for s in scales) / len(scales)
        cost = result["costs"][name]
        axis.plot(cost["milliseconds"], mean, "o", color=f"C{i}")
        # These three lie close together.
        offset = {FIXED: (-8, 6), PLAIN: (8, -10)}.get(name, (8, -3))
        axis.annotate(
            f"{name}, {cost['multiply_adds'] / 1e9:.1f} G",
            (cost["milliseconds"], mean),
            offset,
            textcoords="offset points",
            fontsize=8,
        )
    axis.margins(y=0.1)
    axis.set(xlabel="milliseconds; multiply-adds beside", title="Cost, by 2.7")
    axis.set_ylabel(f"mean over the scales, {part}, dB")
    most = max(result["costs"][name]["milliseconds"] for name in NAMES)
    axis.set_xlim(0, 1.5 * most)
