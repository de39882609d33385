"""The cases: pure data."""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil


@dataclass(frozen=True)
class Case:
    """One layer on one square input; the kernel is the default one of the layer."""

    batch: int
    channels: int
    size: int
    scale: float | str | tuple[float, float]  # a string is a ratio: "2/3"
    kernel_size: int = 3
    backward: bool = False
    dtype: str = "float32"
    out_channels: int | None = None
    groups: int = 1
    target: str | None = None  # the name of the target that it belongs to

    @property
    def name(self) -> str:
        """What the case is called in records and tables."""
        passes = "forward + backward" if self.backward else "forward"
        groups = f", {self.groups} groups" if self.groups > 1 else ""
        return (
            f"{self.batch} x {self.channels} to {self.outputs}{groups}, "
            f"{self.size} px, {self.scale}, k {self.kernel_size}, {passes}, "
            f"{self.dtype}"
        )

    @property
    def outputs(self) -> int:
        """Channels of the output."""
        return self.out_channels or self.channels

    @property
    def ratio(self) -> Fraction | float | tuple[float, float]:
        """The scale as the layer takes it."""
        return Fraction(self.scale) if isinstance(self.scale, str) else self.scale

    @property
    def ratios(self) -> tuple[Fraction, Fraction]:
        """The scale of each axis, as the layer understands it."""
        y, x = self.ratio if isinstance(self.ratio, tuple) else (self.ratio,) * 2
        most = 10**6
        return Fraction(y).limit_denominator(most), Fraction(x).limit_denominator(most)

    @property
    def out_size(self) -> tuple[int, int]:
        """Pixels of the output."""
        y, x = self.ratios
        return ceil(y * self.size), ceil(x * self.size)


def _of(target: str, *cases: Case) -> list[Case]:
    return [replace(case, target=target) for case in cases]


SHRINK = [
    *_of(
        "shrink 64",
        Case(1, 64, 64, 0.7391),
        Case(1, 64, 256, 0.8731),
        Case(16, 64, 32, 0.7391),
        Case(16, 64, 32, (0.9131, 0.6173)),
    ),
    *_of(
        "shrink 64 below 1/2",
        Case(1, 64, 128, 0.3141),
        Case(1, 64, 512, 0.4142),
        Case(16, 64, 64, 0.3141),
    ),
    *_of(
        "shrink 256",
        Case(1, 256, 32, 0.7391),
        Case(1, 256, 64, 0.4142),
        Case(16, 256, 16, 0.7391),
    ),
    *_of("shrink 32", Case(128, 32, 32, 0.7391), Case(128, 32, 32, 0.4142)),
    *_of(
        "small",
        Case(1, 64, 16, 0.8131),
        Case(1, 64, 12, 0.6173),
        Case(16, 64, 16, 0.7391),
    ),
    # Of no target: other kernels.
    Case(16, 16, 64, 0.8131, 5),
    Case(16, 64, 32, (0.9131, 0.6173), 4),
]
FEW = _of(
    "few channels",
    Case(1, 3, 512, 0.6181, out_channels=16),
    Case(128, 3, 32, 0.7391, out_channels=16),
    Case(1, 3, 512, 1.3677, out_channels=16),
)
ENLARGE = [
    *_of(
        "enlarge 1.3",
        Case(1, 64, 64, 1.3177),
        Case(1, 64, 64, 1.7391),
        Case(16, 64, 32, 1.7391),
        Case(1, 256, 24, 1.7391),
        Case(128, 16, 16, 1.5811, 5),
    ),
    *_of(
        "enlarge 2",
        Case(1, 64, 48, 2.4371),
        Case(16, 64, 24, 2.4371),
        Case(1, 64, 48, (2.1177, 2.7391), 4),
    ),
    *_of(
        "enlarge 3",
        Case(1, 64, 64, 3.2173),
        Case(16, 64, 16, 3.2173),
        Case(1, 256, 24, 3.2173),
        Case(1, 16, 128, 3.7391, 5),
        Case(1, 64, 64, "4"),
    ),
]
RATIONAL = _of(
    "rational",
    Case(1, 64, 64, "1/2"),
    Case(16, 64, 32, "1/2", 4),
    Case(1, 3, 512, "1/2", 4, out_channels=64),
    Case(1, 64, 66, "2/3"),
    Case(1, 64, 64, "3/4"),
    Case(1, 64, 64, "1"),
    Case(1, 64, 64, "3/2"),
    Case(1, 64, 64, "2", 4),
    Case(16, 64, 16, "2"),
    Case(1, 64, 64, "3"),
)
BACKWARD = _of(
    "backward",
    Case(1, 64, 64, 0.7391, backward=True),
    Case(16, 64, 32, 0.7391, backward=True),
    Case(4, 256, 32, 0.7391, backward=True),
    Case(128, 32, 32, 0.7391, backward=True),
    Case(128, 64, 16, 0.7938, backward=True),
    Case(1, 64, 64, 1.7391, backward=True),
    Case(1, 64, 64, "1/2", backward=True),
    Case(1, 64, 64, "2", backward=True),
)
BFLOAT16 = [
    *_of(
        "bfloat16",
        Case(1, 64, 64, 0.7391, dtype="bfloat16"),
        Case(1, 256, 32, 0.7391, dtype="bfloat16"),
        Case(128, 32, 32, 0.7391, dtype="bfloat16"),
        Case(1, 64, 64, 1.7391, dtype="bfloat16"),
    ),
    *_of(
        "bfloat16 backward",
        Case(16, 64, 32, 0.7391, backward=True, dtype="bfloat16"),
        Case(128, 32, 32, 0.7391, backward=True, dtype="bfloat16"),
    ),
]
# Of no target.
DEPTHWISE = [
    Case(16, 64, 32, 0.7391, groups=64),
    Case(16, 64, 32, 0.7391, groups=64, backward=True),
    Case(16, 256, 16, "1/2", groups=256, backward=True),
]

CASES = [*SHRINK, *FEW, *ENLARGE, *RATIONAL, *BACKWARD, *BFLOAT16, *DEPTHWISE]
QUICK = [SHRINK[0], SHRINK[7], ENLARGE[1], ENLARGE[8], RATIONAL[0], BACKWARD[0]]
