"""The cases: pure data."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Case:
    """One layer on one input; the kernel is the default one of the layer."""

    batch: int
    channels: int
    size: int
    scale: float | str | tuple[float, float]  # a string is a ratio: "2/3"
    kernel_size: int = 3
    backward: bool = False
    dtype: str = "float32"
    out_channels: int | None = None

    @property
    def name(self) -> str:
        """What the case is called in records and tables."""
        out = self.out_channels or self.channels
        passes = "forward + backward" if self.backward else "forward"
        return (
            f"{self.batch} x {self.channels} to {out}, {self.size} px, {self.scale}, "
            f"k {self.kernel_size}, {passes}, {self.dtype}"
        )

    @property
    def ratio(self) -> Fraction | float | tuple[float, float]:
        """The scale as the layer takes it."""
        return Fraction(self.scale) if isinstance(self.scale, str) else self.scale


DOWN = [
    Case(1, 64, 64, 0.7391),
    Case(16, 64, 32, 0.7391),
    Case(1, 64, 128, 0.3141),
    Case(4, 256, 32, 0.7391),
    Case(128, 32, 32, 0.7391),
    Case(16, 16, 64, 0.8131, 5),
    Case(16, 64, 32, (0.9131, 0.6173), 4),
]
UP = [
    Case(1, 64, 64, 1.3177),
    Case(1, 64, 64, 1.7391),
    Case(4, 256, 24, 1.7391),
    Case(4, 64, 48, 2.4371),
    Case(1, 64, 64, 3.2173),
    Case(1, 16, 128, 3.7391, 5),
    Case(1, 64, 48, (1.3177, 2.7391), 4),
    Case(1, 3, 512, 1.37, out_channels=16),
]
RATIONAL = [
    Case(1, 64, 64, "1/2"),
    Case(16, 64, 32, "1/2", 4),
    Case(1, 64, 66, "2/3"),
    Case(1, 64, 64, "3/4"),
    Case(1, 64, 64, "3/2"),
    Case(1, 64, 64, "2", 4),
    Case(1, 64, 64, "3"),
    Case(1, 64, 64, "1"),
]
BACKWARD = [
    Case(1, 64, 64, 0.7391, backward=True),
    Case(16, 64, 32, 0.7391, backward=True),
    Case(128, 32, 32, 0.7391, backward=True),
    Case(1, 64, 64, 1.7391, backward=True),
    Case(1, 64, 64, "1/2", backward=True),
    Case(1, 64, 64, "2", backward=True),
]
BFLOAT16 = [
    Case(1, 64, 64, 0.7391, dtype="bfloat16"),
    Case(1, 64, 64, 1.7391, dtype="bfloat16"),
]

CASES = [*DOWN, *UP, *RATIONAL, *BACKWARD, *BFLOAT16]
QUICK = [DOWN[0], UP[1], RATIONAL[0]]
