"""Which continuous layers a network has, and what an example tells about them."""

from typing import Any

from torch import Tensor, nn

from contconv.nn.ensemble import ScaleEnsemble
from contconv.nn.layer import ContinuousConv
from contconv.nn.observe import observed

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


def seen_by(model: nn.Module, example: Any) -> tuple[Seen, dict[ContinuousConv, str]]:
    """The sizes that reach each layer, and why layers cannot be baked, if so."""
    layers = named_layers(model)
    seen: Seen = {layer: [] for layer in layers}
    reasons: dict[ContinuousConv, str] = {}
    given = example if isinstance(example, Tensor) else tuple(example)
    for call in observed(model, given, layers):
        layer = call.module
        assert isinstance(layer, ContinuousConv) and call.before is not None
        seen[layer].append(call.before[-layer.ndim :])
        for name in ("scale", "size", "points", "output_size"):
            if call.arguments.get(name) is not None:
                reasons[layer] = (
                    f"it is called with {name}=, which plain modules cannot take; use "
                    "to_onnx, or set the layer's own scale or size instead"
                )
    return seen, reasons
