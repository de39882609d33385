"""Tile grid: the division of an enlarged picture into tiles."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from math import ceil, inf, prod
from typing import NamedTuple

# A picture smaller than this is encoded as a whole: of less than 20,480 numbers torch
# computes convolutions by another routine, in another order, so that a tile would
# differ from the whole in the last bits.
LEAST_ENCODED = 160
LEAST_TILE = 64

# About how far an encoder looks: so many pixels around a part are encoded twice.
_AROUND = 32


class Strip(NamedTuple):
    """Consecutive output pixels along an axis."""

    start: int
    stop: int


class Group(NamedTuple):
    """Strips whose features are computed together."""

    strips: list[Strip]

    @property
    def start(self) -> int:
        return self.strips[0].start

    @property
    def stop(self) -> int:
        return self.strips[-1].stop


def divided(
    in_shape: Sequence[int], out_shape: Sequence[int], tile: int
) -> tuple[list[Group], ...]:
    """For each axis, the groups of strips that together are the output.

    Args:
        in_shape: Pixels of the picture.
        out_shape: Pixels of the output.
        tile: About the side of the largest tile, in output pixels, and of the largest
            part that is encoded, in input pixels: a thin picture has longer ones of
            the same area.

    Raises:
        ValueError: If tiles would be too small to be worth it.
    """
    if tile < LEAST_TILE:
        raise ValueError(f"tile must be at least {LEAST_TILE} pixels, got {tile}")
    sides = _sides(out_shape, tile)
    counts = _counts(in_shape, tile)
    return tuple(
        [
            Group(list(_split(start, stop, ceil((stop - start) / side))))
            for start, stop in _split(0, out, count)
        ]
        for out, count, side in zip(out_shape, counts, sides, strict=True)
    )


def count_tiles(in_shape: Sequence[int], out_shape: Sequence[int], tile: int) -> int:
    """Number of tiles; the arguments are those of `divided`."""
    rows, columns = (
        sum(len(group.strips) for group in axis)
        for axis in divided(in_shape, out_shape, tile)
    )
    return rows * columns


def _counts(in_shape: Sequence[int], tile: int) -> tuple[int, int]:
    """How many parts, down and across, are encoded: with the least done twice."""
    least = _sides(in_shape, LEAST_ENCODED)
    rows, columns = (ceil(n / own) for n, own in zip(in_shape, least, strict=True))
    best = (inf, (rows, columns))
    for counts in product(range(1, rows + 1), range(1, columns + 1)):
        height, width = (
            min(n, ceil(n / count) + 2 * _AROUND)
            for n, count in zip(in_shape, counts, strict=True)
        )
        if height * width <= (tile + 2 * _AROUND) ** 2:
            best = min(best, (height * width * prod(counts), counts))
    return best[1]


def _sides(shape: Sequence[int], side: int) -> list[int]:
    """Height and width of a square of this side, or longer where the other is short."""
    height, width = shape
    return [side * ceil(max(1, side / width)), side * ceil(max(1, side / height))]


def _split(start: int, stop: int, count: int) -> Iterator[Strip]:
    """Nearly equal strips."""
    ends = [start + i * (stop - start) // count for i in range(count + 1)]
    return (Strip(*ends) for ends in pairwise(ends))
