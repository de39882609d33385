"""Axis: how one axis is resized, in whole numbers."""

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from contconv._runtime.text import whole_text

IntOrTensor = TypeVar("IntOrTensor", int, Tensor)

# Positions are int64: the largest term of Eq. 2 has to stay below 2**63.
_LARGEST_TERM = 2**61


@dataclass(frozen=True)
class Axis:
    """An axis of ``in_size`` pixels, resized to ``out_size`` at scale ``up / down``.

    Positions and distances are whole multiples of ``1 / (2 * up)`` input pixels, so
    that which pixels a kernel touches is decided without rounding. Evaluating Eq. 2 in
    floating point instead moves 7% of the windows by a pixel at a scale of 3, where
    pixels lie exactly on the edge of the support.

    Args:
        in_size: Pixels in the input.
        out_size: Pixels in the output.
        up: Numerator of the scale, in lowest terms.
        down: Denominator of the scale.
        support: Width of the kernel, in input pixels.
        antialias: Stretch the kernel to ``support * down / up`` where the axis shrinks.
        start: Where the first output pixel falls, as `position` has it: `Placement`
            says which; centred as in Eq. 2 unless given.
    """

    in_size: int
    out_size: int
    up: int
    down: int
    support: int
    antialias: bool = False
    start: int | None = None

    def __post_init__(self) -> None:
        """Refuse what int64 cannot hold."""
        if torch.compiler.is_exporting():
            return  # the sizes are symbols, of which nothing is known but a bound
        largest = max(self.up, self.down) * (
            2 * self.in_size + 2 * self.out_size + self.support
        ) + abs(self.start or 0)
        if largest > _LARGEST_TERM:
            raise ValueError(
                f"resizing {self.in_size} pixels to {whole_text(self.out_size)} at a "
                f"scale of {whole_text(self.up)}/{whole_text(self.down)} needs whole "
                "numbers beyond 64 bits; ask for fewer pixels, or round it with "
                "Fraction.limit_denominator(10**6)"
            )

    @property
    def unit(self) -> int:
        """One input pixel, in the whole numbers of this axis."""
        return 2 * self.up

    @property
    def stretched(self) -> bool:
        """Whether antialiasing widens the kernel here."""
        return self.antialias and self.up < self.down

    @property
    def kernel_pixel(self) -> int:
        """Half a pixel of the (stretched) kernel, in the whole numbers of this axis."""
        # Without a condition: compiled graphs would each hold for one of its outcomes.
        return torch.sym_max(self.up, self.down) if self.antialias else self.up  # type: ignore

    @property
    def reach(self) -> int:
        """Half the width of the (stretched) kernel, in ``1 / (2 * up)`` pixels."""
        return self.support * self.kernel_pixel

    @property
    def hits_pixels(self) -> bool:
        """Whether every output pixel falls on an input pixel, and none is stretched."""
        return self.up == 1 and self.position(0) % 2 == 0 and not self.stretched

    @property
    def phases(self) -> int:
        """How many different sub-pixel offsets the output pixels have."""
        return min(self.up, self.out_size)

    def position(self, n: IntOrTensor) -> IntOrTensor:
        """Where output pixel ``n`` falls in the input: ``2 * up * g_n`` of Eq. 2."""
        start = self.start
        if start is None:
            start = (self.in_size - 1) * self.up - (self.out_size - 1) * self.down
        return 2 * self.down * n + start

    def first_neighbor(self, n: IntOrTensor) -> IntOrTensor:
        """The lowest input pixel in the support of output pixel ``n``; any sign."""
        return self._pixel_below(n, self.unit - 1 - self.reach)

    def nearest_pixel(self, n: IntOrTensor) -> IntOrTensor:
        """The input pixel nearest to output pixel ``n``, of two the later; any sign."""
        return self._pixel_below(n, self.up)

    def _pixel_below(self, n: IntOrTensor, offset: int) -> IntOrTensor:
        """The last input pixel at or before the position of ``n`` and an offset."""
        # Shifted by whole pixels to stay above zero: exported graphs truncate integer
        # division instead of flooring it.
        below = abs(offset) + self.out_size * self.down
        if self.start is not None:  # no zero is asked for: it may be a symbol
            below += abs(self.start)
        pixels = below // self.unit + 1
        return (self.position(n) + offset + self.unit * pixels) // self.unit - pixels

    @property
    def has_ties(self) -> bool:
        """Whether a pixel lies exactly on the lower edge of any support."""
        offset = self.position(0) - self.reach
        if offset % 2:
            return False
        # The smallest n with n * down + offset / 2 = 0 modulo up.
        first = (-(offset // 2) * pow(self.down, -1, self.up)) % self.up
        return first < self.out_size

    @property
    def taps(self) -> int:
        """The most input pixels that any output pixel has within its support."""
        if torch.compiler.is_compiling():
            # One more, that may not count: the sizes are symbols, and ties unknown.
            return (self.reach + self.up - 1) // self.up + 1
        whole, rest = divmod(self.reach, self.up)
        return whole + (1 if rest or self.has_ties else 0)
