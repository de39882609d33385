"""Turns: the eight ways to lay a picture."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from torch import Tensor

from contconv._runtime.shapes import Float

Of = TypeVar("Of")


class Turn(NamedTuple):
    """A picture with its axes swapped or not, and then each of them flipped or not."""

    swapped: bool
    flipped: tuple[bool, bool]

    def of(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c a b"]:
        """The picture, turned."""
        return self._flipped(image.mT if self.swapped else image)

    def back(self, image: Float[Tensor, "n c a b"]) -> Float[Tensor, "n c h w"]:
        """The picture as it was."""
        flipped = self._flipped(image)
        return flipped.mT if self.swapped else flipped

    def axes(self, pair: Sequence[Of]) -> tuple[Of, ...]:
        """What is said of both axes, of the turned picture."""
        return tuple(reversed(pair)) if self.swapped else tuple(pair)

    def window(self, window: Sequence[slice], size: Sequence[int]) -> tuple[slice, ...]:
        """Where a window of a picture of this size is in the turned one."""
        each = zip(self.axes(window), self.axes(size), self.flipped, strict=True)
        return tuple(
            slice(pixels - part.stop, pixels - part.start) if flips else part
            for part, pixels, flips in each
        )

    def _flipped(self, image: Tensor) -> Tensor:
        axes = [
            axis for axis, flips in zip((-2, -1), self.flipped, strict=True) if flips
        ]
        return image.flip(axes) if axes else image


# As it is, the other ones that no mirror is needed for, and those mirrored.
TURNS = (
    Turn(False, (False, False)),
    Turn(False, (True, True)),
    Turn(True, (False, True)),
    Turn(True, (True, False)),
    Turn(False, (False, True)),
    Turn(False, (True, False)),
    Turn(True, (False, False)),
    Turn(True, (True, True)),
)
