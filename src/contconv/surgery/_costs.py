"""Multiply-adds of layers, continuous or not."""

from collections.abc import Sequence
from math import prod

import torch
from torch import nn

from contconv.nn._layer import ContinuousConv
from contconv.surgery._discrete import CONVOLUTIONS, TRANSPOSED
from contconv.surgery._shapes import Shapes


def cost_of(module: nn.Module, ends: Shapes) -> int:
    """Multiply-adds of a layer of any kind, for an input of this shape."""
    if isinstance(module, ContinuousConv):
        return layer_cost(module, ends, module.kernel.head.dtype)
    return multiply_adds(module, ends.before, ends.after)


def layer_cost(layer: ContinuousConv, ends: Shapes, dtype: torch.dtype) -> int:
    """Multiply-adds of a continuous layer, for an input of this shape."""
    chosen = layer.explain(torch.empty(ends.before, dtype=dtype, device="meta"))
    cost = chosen.engines[chosen.engine].cost
    assert cost is not None  # the chosen engine can run
    return cost.multiply_adds


def parameters(module: nn.Module) -> int:
    """How many numbers a module has to learn."""
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(
    module: nn.Module, before: Sequence[int], after: Sequence[int]
) -> int:
    """What a discrete layer takes, from the shapes of its input and output."""
    if not isinstance(module, (*CONVOLUTIONS, *TRANSPOSED)):
        return 0
    numbers = prod(after) * module.in_channels
    if isinstance(module, TRANSPOSED):
        numbers = prod(before) * module.out_channels
    return numbers // module.groups * prod(module.kernel_size)
