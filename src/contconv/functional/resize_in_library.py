"""Images resampled by the library of contconv-native, all axes at once.

What a call depends on, but for the numbers of the image, is kept from call to call.
"""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import AxisGrid
from contconv._grid.padding import is_source, source_index
from contconv._runtime.memory_format import is_channels_last
from contconv._runtime.shapes import Num
from contconv.engines.native.gradients import separable
from contconv.engines.native.library import DTYPES, takes
from contconv.engines.native.tables import Tables
from contconv.engines.weights import normalized_weights, padded
from contconv.functional.folding import folded
from contconv.functional.plan import options_key
from contconv.functional.resize_bytes import BytePass, planned_bytes, resampled_bytes
from contconv.kernels import SeparableKernel

# So many channels that lie together fill vectors; fewer are taken apart.
_TOGETHER = 8


class Plan(NamedTuple):
    """How an image is resampled."""

    tables: Tables
    head: Tensor  # of one filter for all
    shape: tuple[int, ...]  # pixels of the output


# Of 8 bits, the axes one after the other.
AnyPlan = Plan | tuple[BytePass, ...]


def suits_library(image: Any) -> bool:
    """Whether the library is there, and can resample a tensor."""
    return isinstance(image, Tensor) and takes(image, (*DTYPES, torch.uint8))


def key_of(image: Tensor, *options: Any) -> Hashable | None:
    """All that a call depends on, but for the numbers; None if that is not plain."""
    known = options_key(options)
    return None if known is None else (tuple(image.shape), image.dtype, *known)


def planned(
    kernel: SeparableKernel,
    axes: tuple[Axis, ...],
    modes: Sequence[str],
    copied: Sequence[bool],
    dtype: torch.dtype,
) -> AnyPlan | None:
    """The plan of axes with these padding modes; some take one pixel for each."""
    make = planned_bytes if dtype == torch.uint8 else planned_floats
    return make(kernel, axes, modes, copied)


def planned_floats(
    kernel: SeparableKernel,
    axes: tuple[Axis, ...],
    modes: Sequence[str],
    copied: Sequence[bool],
) -> Plan:
    """As `planned`, for images of floats."""
    # Whatever dtype and device new tensors have here unless they are told.
    place = torch.device("cpu")
    one = torch.ones(1, 1, 1, dtype=torch.float32, device=place)
    none = torch.zeros(1, 1, dtype=torch.int32, device=place), one
    tables = [part for _ in range(3 - len(axes)) for part in none]
    for i, (axis, mode, copies) in enumerate(zip(axes, modes, copied, strict=True)):
        if copies:
            pixel = axis.nearest_pixel(torch.arange(axis.out_size, device=place))[
                :, None
            ]
            inside = is_source(pixel, axis.in_size, mode)
            source = source_index(pixel, axis.in_size, mode)
            values = torch.ones_like(source, dtype=torch.float32)
            values = values if inside is None else values * inside
        else:
            grid = AxisGrid(tuple(axes), mode)
            weights = normalized_weights(kernel, i, grid, torch.float32, place)
            source, values = padded(folded(weights))
        tables += _counting(source, values)
    shape = tuple(axis.out_size for axis in axes)
    return Plan(tuple(tables), one, shape)  # type: ignore


def _counting(source: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """The taps that count first: others are not read, whatever is there."""
    counts = values != 0
    order = counts.to(torch.int8).argsort(dim=1, descending=True, stable=True)
    source = torch.where(counts, source, -1).gather(1, order).int()
    taps = max(1, int(counts.sum(1).max()) if counts.numel() else 1)
    values = values.gather(1, order)[:, :taps, None]
    return source[:, :taps].contiguous(), values.contiguous()


def resampled(
    image: Num[Tensor, "n c *in_shape"], plan: AnyPlan
) -> Num[Tensor, "n c *out_shape"]:
    """The image in its dtype."""
    if not isinstance(plan, Plan):
        return resampled_bytes(image, plan)
    n, c = image.shape[:2]
    pixels = image.float() if image.dtype == torch.float16 else image
    if is_channels_last(image) and c >= _TOGETHER:
        head = plan.head.expand(c, 1, 1).contiguous()
        return separable(pixels, head, plan.tables, c).to(image.dtype)
    planes = pixels.reshape(n * c, 1, *image.shape[2:])
    out = separable(planes, plan.head, plan.tables, 1)
    return out.view(n, c, *plan.shape).to(image.dtype)
