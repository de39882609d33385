"""Strided convolutions: how they read windows, and how their results interleave."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.padding import is_source, source_index
from contconv._runtime.shapes import Float, Int
from contconv.engines.periodic.phases import PhaseGroup, PhaseGroups, periods


class StridedRead(NamedTuple):
    """How one convolution finds its windows along an axis.

    With ``pixels`` it reads a copy of these, zero where they are not ``inside`` the
    image. Without, it reads the image itself, between ``padding`` zeros on each side,
    and the first ``skip`` of its outputs lie before the grid.
    """

    stride: int
    padding: int = 0
    skip: int = 0
    pixels: Int[Tensor, " pixels"] | None = None
    inside: Tensor | None = None


def reading(
    axis: Axis, run: PhaseGroup, mode: str, device: torch.device
) -> StridedRead:
    """The cheapest way to read the windows of a phase group."""
    count = periods(axis)
    stride = axis.down if count > 1 else run.width
    before = -run.start
    after = run.start + stride * (count - 1) + run.width - axis.in_size
    # Padding is the same on both sides: whole strides more before, to be skipped.
    skip = max(0, -(before // stride), -((before - after) // stride))
    padding = before + skip * stride
    outputs = (axis.in_size + 2 * padding - run.width) // stride + 1
    few = outputs <= count + count // 16 and before <= run.width
    if few and (mode == "zeros" or padding == 0):
        return StridedRead(stride, padding, skip)
    pixels = torch.arange(-before, axis.in_size + after, device=device)
    if stride > run.width:
        # What no window reads would only be copied; it may be without end.
        tap = torch.arange(run.width, device=device)
        pixels = torch.arange(count, device=device)[:, None] * stride + tap + run.start
        pixels, stride = pixels.flatten(), run.width
    return StridedRead(
        stride,
        pixels=source_index(pixels, axis.in_size, mode),
        inside=is_source(pixels, axis.in_size, mode),
    )


def windows(
    image: Float[Tensor, "n c *in_shape"], readings: Sequence[Sequence[StridedRead]]
) -> Iterator[tuple[Tensor, tuple[StridedRead, ...]]]:
    """The images to convolve for every combination of readings, last axis fastest."""
    if not readings:
        yield image, ()
        return
    for first in readings[0]:
        copy = _read(image, first, image.ndim - len(readings))
        for window, others in windows(copy, readings[1:]):
            yield window, (first, *others)


def _read(image: Tensor, how: StridedRead, dim: int) -> Tensor:
    if how.pixels is None:
        return image
    # The rows of a channels-last image stay whole: index_select would rearrange it.
    last = _is_channels_last(image)
    rows, dim = (image.movedim(1, -1), dim - 1) if last else (image, dim)
    copy = rows.index_select(dim, how.pixels)
    if how.inside is not None:
        outside = ~how.inside.view(-1, *[1] * (image.ndim - 1 - dim))
        copy = copy.masked_fill(outside, 0)
    return copy.movedim(-1, 1) if last else copy


def interleaved(
    parts: list[Tensor], plan: Sequence[PhaseGroups], axes: Sequence[Axis]
) -> Float[Tensor, "n o *out_shape"]:
    """The output, from the results for every combination of runs, last axis fastest.

    Each is ``[n, groups, *phases, channels, *periods]``. They are only rearranged, for
    which autograd has derivatives of every order.
    """
    ndim, last = len(plan), _is_channels_last(parts[0])
    for i in reversed(range(ndim)):
        k = len(plan[i])
        if k > 1:
            rows = range(0, len(parts), k)
            parts = [torch.cat(parts[j : j + k], 2 + i) for j in rows]
    whole = parts[0]
    n, channels = whole.shape[0], whole.shape[1] * whole.shape[2 + ndim]
    pixels = [d for i in range(ndim) for d in (3 + ndim + i, 2 + i)]
    sizes = [axis.phases * periods(axis) for axis in axes]
    if last:
        out = whole.permute(0, *pixels, 1, 2 + ndim).reshape(n, *sizes, channels)
        out = out.movedim(-1, 1)
    else:
        out = whole.permute(0, 1, 2 + ndim, *pixels).reshape(n, channels, *sizes)
    return out[(..., *[slice(axis.out_size) for axis in axes])]


def _is_channels_last(tensor: Tensor) -> bool:
    return tensor.stride(-1) != 1
