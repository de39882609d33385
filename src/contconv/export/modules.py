"""A continuous layer as PyTorch's own modules: padding, convolution, pixel shuffle."""

import operator
from itertools import product
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from contconv.export.graph import Steps
from contconv.export.periodicity import Periodicity, filters
from contconv.nn.layer import ContinuousConv

_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_FUNCTIONS = (F.conv1d, F.conv2d, F.conv3d)


@torch.no_grad()
def as_modules(
    layer: ContinuousConv, found: tuple[Periodicity, ...], name: str
) -> nn.Module:
    """Modules that compute what the layer does at sizes of these patterns.

    One strided convolution, whose output channels are all phases, and pixel shuffle.
    """
    steps = Steps(layer, found)
    steps.check(name)
    bias = layer.bias
    if bias is not None:
        phases = prod([one.phases for one in found])
        bias = nn.Parameter(bias.repeat_interleave(phases))
    if all(len(one.kinds) == 1 for one in found):
        own = all(one.before == one.after >= 0 for one in found)
        if not own:
            steps.pad()
        steps.module("conv", _convolution(layer, found, bias, own_padding=own))
    else:
        steps.pad()
        steps.root.weight = nn.Parameter(_all_filters(layer, found))
        steps.root.register_parameter("bias", bias)
        steps.value = _chosen_convolution(steps, found)
    steps.shuffle()
    steps.cut()
    return steps.finish()


def _convolution(
    layer: ContinuousConv,
    found: tuple[Periodicity, ...],
    bias: nn.Parameter | None,
    *,
    own_padding: bool,
) -> nn.Module:
    """A module for one kind of size; it pads by itself where both sides are alike."""
    weight = filters(layer, found, (0,) * layer.ndim)
    kind: Any = _CONVS[layer.ndim - 1]
    conv = kind(
        layer.in_channels,
        len(weight),
        tuple(weight.shape[2:]),
        stride=tuple(one.stride for one in found),
        padding=tuple(one.before for one in found) if own_padding else 0,
        padding_mode=layer.padding_mode if own_padding else "zeros",
        groups=layer.groups,
        bias=bias is not None,
        device="meta",  # where nothing is drawn
    )
    conv.weight = nn.Parameter(weight.to(_dtype(layer)).contiguous())
    if bias is not None:
        conv.bias = bias
    return conv


def _all_filters(layer: ContinuousConv, found: tuple[Periodicity, ...]) -> Tensor:
    """The filters of all kinds of sizes: ``[*kinds, outputs, c, *widths]``."""
    kinds = [range(len(one.kinds)) for one in found]
    each = [filters(layer, found, kind) for kind in product(*kinds)]
    stacked = torch.stack(each).to(_dtype(layer))
    return stacked.unflatten(0, [len(one) for one in kinds])


def _chosen_convolution(steps: Steps, found: tuple[Periodicity, ...]) -> fx.Node:
    """The convolution with the filters of the kind that the input is of."""
    kind = [
        steps.call(operator.mod, steps.size(i), one.modulus)
        if len(one.kinds) > 1
        else 0
        for i, one in enumerate(found)
    ]
    stored = steps.graph.get_attr("weight")
    weight = steps.call(operator.getitem, stored, tuple(kind))
    bias = None if steps.root.bias is None else steps.graph.get_attr("bias")
    stride, groups = tuple(one.stride for one in found), steps.layer.groups
    return steps.call(
        _FUNCTIONS[steps.ndim - 1],
        *(steps.value, weight, bias, stride, (0,) * steps.ndim, 1, groups),
    )


def _dtype(layer: ContinuousConv) -> torch.dtype:
    return layer.kernel.head.dtype
