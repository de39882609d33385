"""The numbers to reach, and how a record stands to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Target:
    """One promise: the layer over the unit, at most so much in every case of it."""

    what: str
    unit: str
    to_reach: float
    first_step: float
    measure: str = "ms"  # or "extra", the bytes of memory
    layer: str = "contconv"
    faster: bool = False  # at least so many times faster than the unit, instead

    @property
    def over(self) -> str:
        """What is divided by what."""
        pair = (self.unit, self.layer) if self.faster else (self.layer, self.unit)
        return " / ".join(pair)

    def ratio(self, contenders: Mapping[str, Mapping[str, float]]) -> float | None:
        """How one case stands; None if it does not have both."""
        if not {self.layer, self.unit} <= set(contenders):
            return None
        ours, unit = (contenders[n].get(self.measure) for n in (self.layer, self.unit))
        if not ours or not unit:
            return None
        return unit / ours if self.faster else ours / unit

    def distance(self, ratio: float) -> float:
        """The ratio over the one to reach: at most 1 where it is reached."""
        return self.to_reach / ratio if self.faster else ratio / self.to_reach

    def verdict(self, ratios: list[float]) -> str:
        """What the worst case reaches."""
        for bound, word in (
            (self.to_reach, "reached"),
            (self.first_step, "first step"),
        ):
            if self.met(ratios, bound) == len(ratios):
                return word
        return "missed"

    def met(self, ratios: list[float], bound: float) -> int:
        """How many ratios are as good as that."""
        return sum(r >= bound if self.faster else r <= bound for r in ratios)

    def summary(self, ratios: list[float]) -> tuple[float, float, float]:
        """The best, the median and the worst."""
        ordered = sorted(ratios, reverse=self.faster)
        return ordered[0], median(ordered), ordered[-1]


_SHRINK = "shrinking by any scale, forward, 3 x 3, "
_RATIONAL = "scales 1/2, 2/3, 3/4, 1, 3/2, 2, 3, forward"

# By the names that cases call them by.
_BOTH = "interpolate + conv"

TARGETS = {
    "shrink 64": Target(_SHRINK + "64 channels, batch 1, 16", "conv", 1.1, 1.5),
    "shrink 64 below 1/2": Target("the same below one half, forward", "conv", 1.3, 1.8),
    "shrink 256": Target(_SHRINK + "256 channels, batch 1, 16", "conv", 1.1, 1.5),
    "shrink 32": Target(_SHRINK + "32 channels, batch 128", "conv", 1.1, 1.5),
    "small": Target("outputs of at most 16 x 16 pixels, 64 channels", "conv", 1.5, 2.5),
    "few channels": Target("3 channels to 16, forward", _BOTH, 1.5, 3),
    "enlarge 1.3": Target("enlarging by 1.3 to 2, forward", _BOTH, 0.55, 0.8),
    "enlarge 2": Target("enlarging by 2 to 3, forward", _BOTH, 0.25, 0.4),
    "enlarge 3": Target("enlarging by 3 and more, forward", _BOTH, 0.17, 0.25),
    "rational": Target(_RATIONAL, "conv", 1.15, 1.5),
    "backward": Target("forward + backward", "conv", 1.25, 1.6),
    "bfloat16": Target("bfloat16, forward", "conv", 1.3, 1.8),
    "bfloat16 backward": Target("bfloat16, forward + backward", "conv", 1.4, 1.8),
    "resize": Target(
        "`resize`, cubic, antialias", "F.interpolate", 1, 2, layer="resize"
    ),
}
NETWORK = Target(
    "a training step of CC-Net, 64 channels, per multiply-add",
    *("baseline", 1.3, 1.8),
    measure="ps",
    layer="CC-Net",
)
MEMORY = Target("extra peak memory", "conv", 1.2, 2, measure="extra")
LITERAL = Target("against the literal formulation", "reference", 100, 30, faster=True)

# Not of some cases, but of all in float32 that have both numbers.
ALL = (MEMORY, LITERAL)
