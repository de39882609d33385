"""Taps: the input pixels under the kernel along one axis."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.padding import is_source, source_index
from contconv._runtime.shapes import Float, Int


class Taps(NamedTuple):
    """The neighbors along one axis."""

    source: Int[Tensor, "*out taps"]
    distance: Float[Tensor, "*out taps"]
    weight: Float[Tensor, "*out taps"]


def axis_taps(
    axis: Axis, padding_mode: str, dtype: torch.dtype, device: torch.device | None
) -> Taps:
    """The taps of a resized axis, one row per output pixel.

    A pixel exactly on the edge of the support counts half, on both edges, so that
    flipping the input flips the output.
    """
    n = torch.arange(axis.out_size, device=device)
    tap = torch.arange(axis.taps, device=device)
    pixel = axis.first_neighbor(n)[:, None] + tap
    distance, weight = weigh(axis, n, pixel, dtype)
    pixel = _within(pixel, weight)
    return _padded(pixel, distance, weight, axis.in_size, padding_mode)


def weigh(
    axis: Axis,
    n: Int[Tensor, " out"],
    pixel: Int[Tensor, "out taps"],
    dtype: torch.dtype,
) -> tuple[Float[Tensor, "out taps"], Float[Tensor, "out taps"]]:
    """The kernel's argument, and what counts, for any pixels around output pixels.

    Distances are in the kernel's own pixels, which antialiasing stretches; the weight
    is 0 outside the support and 1/2 on its edge.
    """
    distance = axis.position(n)[:, None] - axis.unit * pixel
    edge = axis.reach - distance.abs()
    weight = (edge.sign() + 1).to(dtype) / 2
    if axis.antialias:
        weight = weight * (axis.up / axis.kernel_pixel)
    return distance.to(dtype) / (2 * axis.kernel_pixel), weight


def point_taps(
    position: Float[Tensor, "*out"],
    in_size: int,
    support: int,
    padding_mode: str,
    stretch: Float[Tensor, ""] | None = None,
) -> Taps:
    """The taps around any positions on an axis, in pixels; gradients flow to them.

    And to the stretch of the kernel, where there is one, of 1 or more: distances are in
    the kernel's own pixels, and weights are divided by it.
    """
    reach: float | Tensor = support / 2
    if stretch is not None:
        reach = stretch.detach() * support / 2
    tap = torch.arange(math.ceil(2 * float(reach)) + 1, device=position.device)
    with torch.no_grad():
        first = torch.ceil(position - reach)
        # What no int64 can hold has no neighbors: its distance is infinite or NaN.
        first = torch.nan_to_num(first, 0.0, 0.0, 0.0).clamp(-(2.0**62), 2.0**62)
        pixel = first.long()[..., None] + tap
    # Not g_n - m: far from the image, m has more digits than a float32.
    distance = (position - first)[..., None] - tap
    with torch.no_grad():
        edge = reach - distance.abs()
        weight = (edge.sign() + 1) / 2 + 0 * edge  # NaN where the position is none
        pixel = _within(pixel, weight)
    if stretch is not None:
        distance, weight = distance / stretch, weight / stretch
    return _padded(pixel, distance, weight, in_size, padding_mode)


def _within(pixel: Tensor, weight: Tensor) -> Tensor:
    """The first pixel of the support in the place of those beyond it.

    They count nothing, but a NaN times 0 is one.
    """
    return torch.where(weight == 0, pixel[..., :1], pixel)


def _padded(
    pixel: Tensor, distance: Tensor, weight: Tensor, in_size: int, padding_mode: str
) -> Taps:
    inside = is_source(pixel, in_size, padding_mode)
    if inside is not None:
        weight = weight * inside
    return Taps(source_index(pixel, in_size, padding_mode), distance, weight)
