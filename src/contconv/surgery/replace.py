"""Continuous layers in the place of discrete ones, and back."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import nn

from contconv._runtime.numberless import has_numbers, is_fake
from contconv.kernels import BandlimitedKernel
from contconv.kernels.names import learned_class, learned_kernel
from contconv.surgery.converted import CONVERTED, Converted
from contconv.surgery.discrete import Discrete
from contconv.surgery.fit import fit

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


class Form(NamedTuple):
    """How a kernel is made.

    Attributes:
        name: Of a learned kernel.
        size: The kernel size.
        options: Its own.
    """

    name: str
    size: tuple[int, ...]
    options: dict[str, Any]


def _form_of(discrete: Discrete, kernel: str) -> Form:
    """The kernel with as many functions as the filter has taps."""
    if discrete.low_passed:
        return _low_passing(discrete)
    size = learned_class(kernel).size_for(discrete.kernel_size)
    own = discrete.origin.matrices(size, torch.device("cpu"))
    return Form(kernel, size, learned_class(kernel).options_for(tuple(map(len, own))))


def _low_passing(discrete: Discrete) -> Form:
    """The taps of the filter, and a low-pass filter for its scale."""
    own = discrete.origin.matrices(discrete.kernel_size, torch.device("cpu"))
    taps = tuple(map(len, own))
    size, cutoff = BandlimitedKernel.low_pass(taps, discrete.scale, axes=len(taps))
    return Form("bandlimited", size, {"taps": taps, "cutoff": cutoff})


def built(
    discrete: Discrete, kernel: str, *, fits: bool
) -> tuple[Converted, float | None]:
    """The layer that computes the same, and how far it is off at the taps.

    Args:
        discrete: What is replaced.
        kernel: The name of a learned kernel; what is low-passed has one of its own.
        fits: Whether the function is kept; else the layer is new.
    """
    module, weight = discrete.module, discrete.weight
    axes = len(discrete.kernel_size)
    channels = (module.in_channels, module.out_channels)
    own = {"groups": module.groups, "device": weight.device, "dtype": weight.dtype}
    kernel, size, options = _form_of(discrete, kernel)
    layer = CONVERTED[axes](
        *channels,
        size,
        scale=discrete.scale,
        bias=module.bias is not None,
        padding=cast(Any, discrete.placements),
        padding_mode=discrete.padding_mode,
        kernel=learned_kernel(kernel, *channels, size, **own, **options),
        **own,
    )
    layer.origin, layer.sized, layer.keeps = discrete.origin, discrete.sized, fits
    error = _take_over(layer, discrete) if fits else None
    layer.kernel.head.requires_grad_(weight.requires_grad)
    if layer.bias is not None:
        layer.bias.requires_grad_(module.bias.requires_grad)  # type: ignore
    return stands_in(layer, module), error


def stands_in(layer: Layer, module: nn.Module) -> Layer:
    """The layer, with mode, hooks and attributes of the module that it replaces."""
    for name in _HOOKS:
        setattr(layer, name, getattr(module, name))
    # Its settings and what was noted on it: other code may read them.
    for name, value in vars(module).items():
        if not name.startswith("_") and not hasattr(layer, name):
            setattr(layer, name, value)
    layer.train(module.training)
    return layer


@torch.no_grad()
def _take_over(layer: Converted, discrete: Discrete) -> float | None:
    if not has_numbers(discrete.weight):
        return _error_of_any(layer, discrete)
    head, error = fit(layer.kernel, discrete.origin, discrete.weight)
    layer.kernel.head.copy_(head)
    if layer.bias is not None:
        layer.bias.copy_(discrete.module.bias)  # type: ignore
    return error


def _error_of_any(layer: Converted, discrete: Discrete) -> float | None:
    """How far off the kernel will be once there are numbers; None if that is unknown.

    Whether it passes through the taps of a filter does not depend on which these are.
    """
    learns = any(True for name, _ in layer.kernel.named_parameters() if name != "head")
    if learns or not discrete.weight.is_meta or is_fake(discrete.weight):
        return None
    draw = torch.Generator("cpu").manual_seed(0)
    options = {"dtype": torch.float64, "device": "cpu", "generator": draw}
    return fit(
        layer.kernel, discrete.origin, torch.randn(discrete.origin.shape, **options)
    )[1]


def swap(model: nn.Module, names: Sequence[str], module: nn.Module) -> nn.Module:
    """Put a module in all these places; returns the network, or what replaces it."""
    for name in names:
        if not name:
            return module
        parent, _, key = name.rpartition(".")
        setattr(model.get_submodule(parent), key, module)
    return model


def is_watched(module: nn.Module) -> bool:
    """Whether a module has hooks, which see what goes in or comes out."""
    return any(getattr(module, name) for name in _HOOKS)


def places(model: nn.Module, module: nn.Module) -> list[str]:
    """All names under which a network has a module."""
    named = model.named_modules(remove_duplicate=False)
    return [name for name, found in named if found is module]
