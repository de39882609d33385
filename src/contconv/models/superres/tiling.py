"""Tiled enlargement of a picture, laid in one way or in several."""

from collections.abc import Iterator, Sequence
from itertools import product

from torch import Tensor

from contconv._grid.ratio import Ratio
from contconv._runtime.shapes import Float
from contconv.models.superres.tile_grid import Group, divided
from contconv.models.superres.turns import TURNS, Turn
from contconv.models.superres.windows import Enlargement, Enlarger, Window


class Tiled:
    """The tiles of one picture.

    Args:
        net: The network.
        image: ``[1, 3, h, w]``, with values in 0..1.
        ratios: The scale, per axis.
        size: Pixels of the output.
        tile: About the side of the largest tile, in output pixels.
        members: In how many ways the picture is laid; the mean is taken.
    """

    def __init__(
        self,
        net: Enlarger,
        image: Float[Tensor, "1 3 h w"],
        ratios: tuple[Ratio, ...],
        size: tuple[int, ...],
        tile: int,
        members: int,
    ) -> None:
        self.groups = divided(image.shape[2:], size, tile)
        turns = TURNS[:members]
        self.members = [_Member(net, image, ratios, size, turn) for turn in turns]

    def __iter__(self) -> Iterator[tuple[slice, slice, Float[Tensor, "3 r c"]]]:
        """Rows and columns of the output, and their values."""
        for groups in product(*self.groups):
            windows = [
                tuple(slice(*strip) for strip in strips)
                for strips in product(*(group.strips for group in groups))
            ]
            made = self._made(groups, windows)
            for (rows, columns), values in zip(windows, made, strict=True):
                yield rows, columns, values[0]

    def _made(
        self, groups: Sequence[Group], windows: list[Window]
    ) -> Iterator[Float[Tensor, "1 3 r c"]]:
        """The tiles of one group of strips for each axis: one member after the other.

        So features are there of one member at a time.
        """
        around = tuple(slice(group.start, group.stop) for group in groups)
        first, *others = (member.tiles(around, windows) for member in self.members)
        if not others:
            yield from first
            return
        sums = list(first)
        for made in others:
            for total, values in zip(sums, made, strict=True):
                total += values
        for total in sums:
            yield total.div_(len(self.members))


class _Member:
    """The picture laid in one way."""

    def __init__(
        self,
        net: Enlarger,
        image: Tensor,
        ratios: tuple[Ratio, ...],
        size: tuple[int, ...],
        turn: Turn,
    ) -> None:
        self.turn, self.size = turn, size
        laid = turn.of(image).contiguous()
        self.enlargement = Enlargement(net, laid, turn.axes(ratios), turn.axes(size))

    def tiles(
        self, around: Window, windows: list[Window]
    ) -> Iterator[Float[Tensor, "1 3 r c"]]:
        """Windows of the output, all of them within another one."""
        inputs = self.enlargement.inputs(self.turn.window(around, self.size))
        features = self.enlargement.features(inputs)
        for window in windows:
            laid = self.turn.window(window, self.size)
            yield self.turn.back(self.enlargement.part(features, inputs, laid))
