"""The order of the steps of a separable convolution: the fastest."""

from functools import lru_cache
from itertools import permutations
from math import prod
from typing import NamedTuple

from contconv._axis import Axis
from contconv.engines._bands import band_width

HEAD = -1  # the step that mixes the channels; the others are the axis they resample

# Outputs in a band. Fewer waste less of it on zeros, more make larger products.
BLOCK = 16

# How much longer a multiply-add takes in a band than in the product with the head.
BAND_COST = 3


class Plan(NamedTuple):
    """An order of the steps, and what it takes for one image and group of channels."""

    order: tuple[int, ...]
    multiply_adds: int
    time: int  # in multiply-adds of the product with the head
    largest: int  # numbers in the largest tensor that is passed from step to step


@lru_cache
def best_plan(
    axes: tuple[Axis, ...], ranks: tuple[int, ...], channels: tuple[int, int]
) -> Plan:
    """The order that takes the least time.

    ``channels`` are how many come in and go out.
    """
    orders = permutations((HEAD, *reversed(range(len(axes)))))
    plans = [_plan(order, axes, ranks, channels) for order in orders]
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
            inputs = band_width(axes[step], BLOCK) * ranks[step]
            work = prod(sizes) * prod(held) * inputs * width
            time += BAND_COST * work
            held[step] = ranks[step] if step in before_head else 1
        total += work
        largest = max(largest, prod(sizes) * prod(held) * width)
    return Plan(order, total, time, largest)
