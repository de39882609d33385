"""Which continuous layers a network has, and what an example tells about them."""

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from contconv.nn.ensemble import ScaleEnsemble
from contconv.nn.layer import ContinuousConv

Shape = tuple[int, ...]
Seen = dict[ContinuousConv, list[Shape]]


def named_layers(model: nn.Module) -> dict[ContinuousConv, str]:
    """The continuous layers, and what messages call them."""
    layers = {}
    for name, module in model.named_modules():
        if isinstance(module, ContinuousConv):
            layers[module] = f"layer {name!r}" if name else "the layer"
        elif isinstance(module, ScaleEnsemble):
            raise ValueError(
                f"{name or 'model'} is a ScaleEnsemble, which runs its network at "
                "several scales; bake the network at each, and combine the outputs"
            )
    if not layers:
        raise ValueError(
            f"model has no continuous layer to bake, got {type(model).__name__}; for "
            "a network that calls contconv's functions use to_onnx"
        )
    return layers


def with_fixed_scales(model: nn.Module) -> nn.Module:
    """The network, with the scales that it has learned as they are now."""
    for layer in model.modules():
        if isinstance(layer, ContinuousConv) and layer.learnable_scale is not None:
            layer.scale, layer.learnable_scale = layer.scale, None
    return model


@torch.no_grad()
def seen_by(model: nn.Module, example: Any) -> tuple[Seen, dict[ContinuousConv, str]]:
    """The sizes that reach each layer, and why layers cannot be baked, if so.

    A copy runs, in evaluation mode: the network is left as it is.
    """
    probe = copy.deepcopy(model).eval()
    seen: Seen = {}
    reasons: dict[ContinuousConv, str] = {}
    for layer, twin in zip(named_layers(model), named_layers(probe), strict=True):
        seen[layer] = []
        hook = partial(_look, layer, seen[layer], reasons)
        twin.register_forward_pre_hook(hook, with_kwargs=True)
    probe(*([example] if isinstance(example, Tensor) else example))
    return seen, reasons


def _look(
    layer: ContinuousConv,
    shapes: list[Shape],
    reasons: dict[ContinuousConv, str],
    _: nn.Module,
    args: tuple[Any, ...],
    options: dict[str, Any],
) -> None:
    """Note the size of one call of a layer, before it runs."""
    image = args[0] if args else options["input"]
    shapes.append(tuple(image.shape[-layer.ndim :]))
    for name in ("scale", "size", "points"):
        if options.get(name) is not None:
            reasons[layer] = (
                f"it is called with {name}=, which plain modules cannot take; use "
                "to_onnx, or set the layer's own scale or size instead"
            )
