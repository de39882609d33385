"""Continuous layers in the place of discrete ones, and back."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import torch
from torch import nn

from contconv.kernels.names import learned_class, learned_kernel
from contconv.nn.conv import LAYERS
from contconv.nn.layer import ContinuousConv
from contconv.surgery.discrete import Discrete
from contconv.surgery.fit import TapLayout, fit

Layer = TypeVar("Layer", bound=nn.Module)

# What `register_..._hook` fills; the dictionaries themselves are taken over, so that
# the handles of hooks still remove them.
_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_is_full_backward_hook",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


def built(
    discrete: Discrete, kernel: str, *, fits: bool
) -> tuple[ContinuousConv, float | None]:
    """The layer that computes the same, and how far it is off at the taps.

    Args:
        discrete: What is replaced.
        kernel: The name of a learned kernel.
        fits: Whether the function is kept; else the layer is new.
    """
    module, weight = discrete.module, discrete.weight
    axes = len(discrete.kernel_size)
    channels = (module.in_channels, module.out_channels)
    own = {"groups": module.groups, "device": weight.device, "dtype": weight.dtype}
    size = learned_class(kernel).size_for(discrete.kernel_size)
    options = _options(kernel, discrete, size)
    layer = LAYERS[axes](
        *channels,
        size,
        scale=discrete.scale,
        bias=module.bias is not None,
        padding=cast(Any, discrete.placements),
        padding_mode=discrete.padding_mode,
        kernel=learned_kernel(kernel, *channels, size, **own, **options),
        **own,
    )
    error = _take_over(layer, discrete) if fits else None
    layer.kernel.head.requires_grad_(weight.requires_grad)
    if layer.bias is not None:
        layer.bias.requires_grad_(module.bias.requires_grad)  # type: ignore
    if fits:
        remember(layer, discrete.origin)
    return stands_in(layer, module), error


def stands_in(layer: Layer, module: nn.Module) -> Layer:
    """The layer, with the mode and the hooks of the module that it replaces."""
    for name in _HOOKS:
        setattr(layer, name, getattr(module, name))
    layer.train(module.training)
    return layer


def _options(kernel: str, discrete: Discrete, size: tuple[int, ...]) -> dict[str, Any]:
    """Those with which a kernel has as many functions as the filter has taps."""
    one = discrete.weight[: discrete.origin.groups, :1]  # of every group a channel
    taps = discrete.origin.taps(one, size).shape[2:]
    return learned_class(kernel).options_for(taps)


@torch.no_grad()
def _take_over(layer: ContinuousConv, discrete: Discrete) -> float:
    head, error = fit(layer.kernel, discrete.origin, discrete.weight)
    layer.kernel.head.copy_(head)
    if layer.bias is not None:
        layer.bias.copy_(discrete.module.bias)  # type: ignore
    return error


def remember(layer: ContinuousConv, origin: TapLayout) -> None:
    """Let a layer load what was saved of the one that it replaced."""
    layer.origin = origin  # type: ignore
    layer.register_load_state_dict_pre_hook(_load_discrete)


def _load_discrete(
    layer: Any, state: dict[str, Any], prefix: str, *others: object
) -> None:
    """Turn the weight of a discrete layer into a head, as it is loaded."""
    weight = state.get(prefix + "weight")
    if weight is None or prefix + "kernel.head" in state:
        return
    if tuple(weight.shape) != layer.origin.shape:
        return  # of another layer, which loading refuses
    head, _ = fit(layer.kernel, layer.origin, weight.to(layer.kernel.head.device))
    del state[prefix + "weight"]
    state[prefix + "kernel.head"] = head.to(weight)
    for name, value in layer.kernel.named_parameters():
        state.setdefault(f"{prefix}kernel.{name}", value.detach())


def swap(model: nn.Module, names: Sequence[str], module: nn.Module) -> nn.Module:
    """Put a module in all these places; returns the network, or what replaces it."""
    for name in names:
        if not name:
            return module
        parent, _, key = name.rpartition(".")
        setattr(model.get_submodule(parent), key, module)
    return model


def places(model: nn.Module, module: nn.Module) -> list[str]:
    """All names under which a network has a module."""
    named = model.named_modules(remove_duplicate=False)
    return [name for name, found in named if found is module]
