"""The order of the steps of a separable convolution: the fastest."""

from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

from contconv._grid.axis import Axis
from contconv.engines.separable.resample import BAND

HEAD = -1  # the step that mixes the channels; the others are the axis they resample

# How much longer a multiply-add takes in a band than in the product with the head, and
# how much longer it takes to write a number than to multiply and add it there.
BAND_COST, WRITE_COST = 3, 40


class Plan(NamedTuple):
    """An order of the steps, and what it takes for one image and group of channels."""

    order: tuple[int, ...]
    multiply_adds: int
    time: int  # in multiply-adds of the product with the head
    largest: int  # numbers in the largest tensor that is passed from step to step


def usual_order(ndim: int) -> tuple[int, ...]:
    """An order that is rarely much slower than the best, for sizes not yet known."""
    return (ndim - 1, HEAD, *reversed(range(ndim - 1)))


@lru_cache
def best_plan(
    axes: tuple[Axis, ...],
    ranks: tuple[int, ...],
    channels: tuple[int, int],
) -> Plan:
    """The order that takes the least time.

    ``channels`` are how many come in and go out. Which axes are resampled before the
    head is all that orders differ in; on either side of it, the last axis comes first.
    """
    plans = []
    for early in product((False, True), repeat=len(axes)):
        before = [i for i in reversed(range(len(axes))) if early[i]]
        after = [i for i in reversed(range(len(axes))) if not early[i]]
        plans.append(_plan((*before, HEAD, *after), axes, ranks, channels))
    return min(plans, key=lambda plan: plan.time)


def _plan(
    order: tuple[int, ...],
    axes: tuple[Axis, ...],
    ranks: tuple[int, ...],
    channels: tuple[int, int],
) -> Plan:
    sizes = [axis.in_size for axis in axes]
    held = [1] * len(axes)  # the basis functions of each axis in what is passed on
    total, time, largest, width = 0, 0, 0, channels[0]
    before_head = order[: order.index(HEAD)]
    for step in order:
        if step == HEAD:
            work = prod(sizes) * prod(ranks) * prod(channels)
            time += work
            held = [1 if i in before_head else r for i, r in enumerate(ranks)]
            width = channels[1]
        else:
            sizes[step], held[step] = axes[step].out_size, 1
            inputs = band_width(axes[step]) * ranks[step]
            work = prod(sizes) * prod(held) * inputs * width
            time += BAND_COST * work
            held[step] = ranks[step] if step in before_head else 1
        numbers = prod(sizes) * prod(held) * width
        total, time = total + work, time + WRITE_COST * numbers
        largest = max(largest, numbers)
    return Plan(order, total, time, largest)


def band_width(axis: Axis) -> int:
    """About how many inputs a band of outputs reads, away from the edges."""
    outputs = min(BAND, axis.out_size)
    return min(axis.in_size, outputs * axis.down // axis.up + axis.taps)
