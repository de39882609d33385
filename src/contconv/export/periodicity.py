"""Periodicity: how an axis at a ratio of whole numbers repeats, for which sizes."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import resized_axes
from contconv._grid.placement import Placement
from contconv._grid.ratio import Ratio
from contconv._grid.taps import weigh
from contconv._runtime.shapes import Float
from contconv.engines.weights import phase_weights
from contconv.nn.layer import ContinuousConv

# Filters for all phases and all kinds of sizes together; each costs memory, and each
# phase of all of them products with zeros.
MOST_FILTERS = 256


@dataclass(frozen=True)
class Periodicity:
    """One axis: every phase has a filter, and all filters see one window.

    At ``p / q`` the centred grid begins at one of ``q`` places, depending on the
    remainder of the input's size by ``q``: these are the kinds of sizes. One that lies
    as that of ``nn.Conv2d`` has a single kind.

    Args:
        kinds: An axis for each kind, in the order of the remainders.
        modulus: Sizes are of one kind if they have one remainder by this; 0 if it only
            holds for the very size of the axis.
    """

    kinds: tuple[Axis, ...]
    modulus: int

    @property
    def phases(self) -> int:
        """Output pixels until the grid repeats."""
        return self.kinds[0].phases

    @property
    def stride(self) -> int:
        """Input pixels until the grid repeats."""
        return self.kinds[0].down

    @property
    def before(self) -> int:
        """Pixels to add before the input; below zero, to take away."""
        return -min(axis.first_neighbor(0) for axis in self.kinds)

    @property
    def width(self) -> int:
        """Pixels of the window that all phases of all kinds share."""
        last = self.phases - 1
        return self.before + max(
            (axis.position(last) + axis.reach) // axis.unit + 1 for axis in self.kinds
        )

    @property
    def after(self) -> int:
        """Pixels to add after the input; below zero, to take away."""
        end = self.width - self.before
        return max(
            self.stride * (-(-axis.out_size // self.phases) - 1) + end - axis.in_size
            for axis in self.kinds
        )

    @property
    def is_whole(self) -> bool:
        """Whether phases times windows are the output, with nothing to cut."""
        return len(self.kinds) == 1 and self.kinds[0].out_size % self.phases == 0


def patterns(
    layer: ContinuousConv, in_shape: tuple[int, ...] | None
) -> tuple[Periodicity, ...]:
    """How each axis of the layer repeats: for all sizes, or for those like this one."""
    if layer._size is not None:
        assert in_shape is not None
        return tuple(Periodicity((axis,), 0) for axis in grid_axes(layer, in_shape))
    found = []
    for i, (_, down) in enumerate(layer_ratios(layer)):
        where = Placement() if layer.placements is None else layer.placements[i]
        if where.pixels is None:
            rests = range(down) if in_shape is None else [in_shape[i] % down]
            found.append(Periodicity(tuple(_axis(layer, i, r) for r in rests), down))
        else:
            # From the first pixel it is one for all sizes; this remainder sees the most
            # after the last one.
            rest = (1 - where.more // where.parts) % down
            found.append(Periodicity((_axis(layer, i, rest),), 1))
    return tuple(found)


def _axis(layer: ContinuousConv, i: int, rest: int) -> Axis:
    """Axis ``i`` for a size with this remainder, in which no phase is missing."""
    ratios = layer_ratios(layer)
    periods = 2 + layer.kernel_size[i]
    widths = zip(layer.kernel_size, ratios, strict=True)
    sizes = [2 * width * down for width, (_, down) in widths]
    sizes[i] = periods * ratios[i].down + rest
    return grid_axes(layer, tuple(sizes))[i]


def layer_ratios(layer: ContinuousConv) -> tuple[Ratio, ...]:
    """The scale per axis of a layer without a size."""
    return layer._ratios or (Ratio(1, 1),) * layer.ndim


def count(where: Placement, size: Any, axis: Axis, call: Callable[..., Any]) -> Any:
    """`Placement.size` in steps of a graph, for a size that is known at the call."""
    over = axis.down * where.parts
    pixels = call(operator.mul, size, axis.up * where.parts)
    pixels = call(operator.add, pixels, axis.up * where.more + over - 1)
    return call(operator.floordiv, pixels, over)


def grid_axes(layer: ContinuousConv, in_shape: tuple[int, ...]) -> tuple[Axis, ...]:
    """The grid of a layer at its own scale and size."""
    options = (layer._ratios, layer._size, layer.antialias, layer.placements)
    return resized_axes(in_shape, layer.kernel_size, *options)


def count_filters(found: tuple[Periodicity, ...]) -> int:
    """How many filters there are, over all axes."""
    return prod([one.phases * len(one.kinds) for one in found])


def nearest(axis: Axis) -> Fraction:
    """A scale close by that repeats soon."""
    exact = Fraction(axis.up, axis.down)
    near = exact.limit_denominator(4)
    return near or Fraction(1, round(1 / exact))


def filters(
    layer: ContinuousConv, found: tuple[Periodicity, ...], kinds: tuple[int, ...]
) -> Float[Tensor, "outputs c *widths"]:
    """The weights of all phases, of one kind of size per axis.

    The phases vary fastest along the first axis, as pixel shuffle has it.
    """
    head, ndim = layer.kernel.head, layer.ndim
    dtype = torch.promote_types(head.dtype, torch.float32)
    axes = []
    for one, kind in zip(found, kinds, strict=True):
        n = torch.arange(one.phases, device=head.device)
        pixel = torch.arange(one.width, device=head.device) - one.before
        pixel = pixel.expand(one.phases, -1)
        axes.append(weigh(one.kinds[kind], n, pixel, dtype))
    values = phase_weights(layer.kernel, axes)
    if layer.kernel.is_shared:
        values = values.expand(*values.shape[:-2], layer.out_channels, 1)
    order = (2 * ndim, *range(ndim), 2 * ndim + 1, *range(ndim, 2 * ndim))
    return values.permute(order).flatten(0, ndim)
