"""Tiled enlargement of a picture, by one or several members of a scale ensemble."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import ceil

import torch
from torch import Tensor

from contconv._grid.ratio import Ratio
from contconv._runtime.shapes import Float
from contconv.models.superres.tile_grid import Group, Strip, divided
from contconv.models.superres.windows import Enlargement, Enlarger, Reduction, Window
from contconv.nn.ensemble import median


class Tiled:
    """The tiles of one picture.

    Args:
        net: The network.
        image: ``[1, 3, h, w]``, with values in 0..1.
        ratios: The scale, per axis.
        size: Pixels of the output.
        tile: About the side of the largest tile, in output pixels.
        overs: For each member of the ensemble, by how much more it enlarges; cubic
            resizing takes that back.
    """

    def __init__(
        self,
        net: Enlarger,
        image: Float[Tensor, "1 3 h w"],
        ratios: tuple[Ratio, ...],
        size: tuple[int, ...],
        tile: int,
        overs: Sequence[Fraction],
    ) -> None:
        self.groups = divided(image.shape[2:], size, tile)
        self.members = [_Member(net, image, ratios, size, over) for over in overs]

    def __iter__(self) -> Iterator[tuple[slice, slice, Float[Tensor, "3 r c"]]]:
        """Rows and columns of the output, and their values."""
        for groups in product(*self.groups):
            made = [member.tiles(groups) for member in self.members]
            for strips in product(*(group.strips for group in groups)):
                values = torch.cat([next(tiles) for tiles in made])
                rows, columns = (slice(*strip) for strip in strips)
                yield rows, columns, median(values) if len(made) > 1 else values[0]


class _Member:
    """The picture at one internal scale."""

    def __init__(
        self,
        net: Enlarger,
        image: Tensor,
        ratios: tuple[Ratio, ...],
        size: tuple[int, ...],
        over: Fraction,
    ) -> None:
        self.back = None
        if over != 1:
            ratios = tuple(_times(ratio, over) for ratio in ratios)
            smaller, size = size, tuple(ceil(pixels * over) for pixels in size)
            self.back = Reduction(image, size, over, smaller)
        self.enlargement = Enlargement(net, image, ratios, size)

    def tiles(self, groups: Sequence[Group]) -> Iterator[Float[Tensor, "1 3 r c"]]:
        """The tiles of one group of strips for each axis."""
        ends = [Strip(group.start, group.stop) for group in groups]
        inputs = self.enlargement.inputs(self._made(ends))
        features = self.enlargement.features(inputs)
        for strips in product(*(group.strips for group in groups)):
            made = self._made(strips)
            part = self.enlargement.part(features, inputs, made)
            if self.back is not None:
                part = self.back.part(part, made, _window(strips))
            yield part

    def _made(self, strips: Sequence[Strip]) -> Window:
        """The window that the network has to enlarge for these strips."""
        window = _window(strips)
        return window if self.back is None else self.back.inputs(window)


def _window(strips: Sequence[Strip]) -> Window:
    return tuple(slice(*strip) for strip in strips)


def _times(ratio: Ratio, over: Fraction) -> Ratio:
    scale = Fraction(*ratio) * over
    return Ratio(scale.numerator, scale.denominator)
