"""Pieces of a problem whose intermediate tensors take a bounded memory."""

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from contconv.engines._bands import Band

# Most numbers in the rows that are resampled together.
HELD = 2**19


class Piece(NamedTuple):
    """Some images and rows of the first axis, and what becomes of them."""

    image: Tensor
    bands: list[Band]  # their inputs and outputs count from where the piece begins
    out: Tensor
    shared: int  # rows that were also the last ones of the piece before


def pieces(image: Tensor, bands: list[Band], out: Tensor, slab: int) -> Iterator[Piece]:
    """Pieces that together make the output.

    ``slab`` is how many numbers one row of one image makes. Only a piece with all rows
    has several images.
    """
    groups = list(_groups(bands, max(1, HELD // max(1, slab))))
    fit = HELD // max(1, slab * image.shape[2])
    count = max(1, fit) if len(groups) == 1 else 1
    for some, into in zip(image.split(count), out.split(count), strict=True):
        before: slice | Tensor = slice(0, 0)
        for group in groups:
            inputs, local = _from_its_start(group)
            written = into[:, :, group[0].outputs.start : group[-1].outputs.stop]
            yield Piece(some[:, :, inputs], local, written, _shared(before, inputs))
            before = inputs


def _shared(before: slice | Tensor, inputs: slice | Tensor) -> int:
    """With how many rows ``inputs`` continue those before."""
    if isinstance(before, Tensor) or isinstance(inputs, Tensor):
        return 0
    if not before.start <= inputs.start <= before.stop <= inputs.stop:
        return 0
    return before.stop - inputs.start


def _groups(bands: list[Band], most: int) -> Iterator[list[Band]]:
    """Consecutive bands that together reach over at most ``most`` inputs, or one."""
    group: list[Band] = []
    for band in bands:
        if group and not _joins(group[0], band, most):
            yield group
            group = []
        group.append(band)
    yield group


def _joins(first: Band, band: Band, most: int) -> bool:
    if isinstance(band.inputs, Tensor) or isinstance(first.inputs, Tensor):
        return False
    reach = band.inputs.stop - first.inputs.start
    # A window that wraps around may begin before those of earlier outputs.
    return band.inputs.start >= first.inputs.start and reach <= most


def _from_its_start(group: list[Band]) -> tuple[slice | Tensor, list[Band]]:
    """The inputs of a group, and its bands as seen from there."""
    first = group[0]
    if isinstance(first.inputs, Tensor):
        inputs, outputs = slice(0, len(first.inputs)), _shift(first, first.outputs)
        return first.inputs, [first._replace(inputs=inputs, outputs=outputs)]
    start, stop = first.inputs.start, first.inputs.stop
    local = []
    for band in group:
        assert isinstance(band.inputs, slice)
        stop = max(stop, band.inputs.stop)
        moved = slice(band.inputs.start - start, band.inputs.stop - start)
        local.append(band._replace(inputs=moved, outputs=_shift(first, band.outputs)))
    return slice(start, stop), local


def _shift(first: Band, outputs: slice) -> slice:
    return slice(
        outputs.start - first.outputs.start, outputs.stop - first.outputs.start
    )


def window(data: Tensor, band: Band, axis: int) -> Tensor:
    """The inputs of a band, along an axis of ``data``."""
    if isinstance(band.inputs, Tensor):
        return data.index_select(axis, band.inputs)
    return data.narrow(axis, band.inputs.start, band.inputs.stop - band.inputs.start)
