"""What to build a layer or a network from, as JSON holds it; and built from that."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import nn

from contconv._grid.placement import Placement
from contconv.kernels import ContinuousKernel
from contconv.kernels.names import kernel_classes
from contconv.models import BaselineNet, CCNet, SuperResolutionNet
from contconv.nn import LearnableScale
from contconv.nn.conv import LAYERS
from contconv.nn.layer import ContinuousConv
from contconv.surgery.converted import plain_class

Config = dict[str, Any]

_LAYERS = {kind.__name__: kind for kind in LAYERS.values()}
_CLASSIFIERS: dict[str, Any] = {"BaselineNet": BaselineNet, "CCNet": CCNet}
_DTYPES = {
    str(one).removeprefix("torch."): one
    for one in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
}


def to_config(model: nn.Module) -> Config:
    """The config of a layer or of a network of this package.

    Raises:
        ValueError: If it is of another class, or has a kernel of another class.
    """
    name = type(model).__name__
    if isinstance(model, ContinuousConv) and plain_class(model) in _LAYERS.values():
        return _layer_to_config(model)
    if isinstance(model, SuperResolutionNet) and type(model) is SuperResolutionNet:
        return {"name": name, "arguments": model.arguments}
    if _CLASSIFIERS.get(name) is type(model):
        return _classifier_to_config(model)
    raise ValueError(
        f"save knows the layers and the networks of contconv.models, got {name}; save "
        "its state_dict() with safetensors, and load it into a network that you build"
    )


def build(config: Config) -> nn.Module:
    """The layer or network of a config, with parameters drawn anew.

    Raises:
        KeyError, TypeError, ValueError: If it is none.
    """
    name, arguments = config["name"], config["arguments"]
    if name in _LAYERS:
        return _build_layer(config)
    if name == "SuperResolutionNet":
        return SuperResolutionNet(**arguments)
    if name not in _CLASSIFIERS:
        raise ValueError(f"unknown network {name!r}")
    model = _CLASSIFIERS[name](**arguments)
    for place, layer in config.get("layers", {}).items():
        model.features[int(place)] = _build_layer(layer)
    return model


def _layer_to_config(layer: Any) -> Config:
    kernel = layer.kernel
    given = {
        "kernel": _kernel_to_config(kernel),
        "scale": layer._ratios,
        "bias": layer.bias is not None,
        "padding": layer.placements,
    }
    if layer.learnable_scale is not None:
        keys = ("initial", "least", "most")
        learned = {key: getattr(layer.learnable_scale, key) for key in keys}
        given["learnable_scale"] = learned
    same = ("in_channels", "out_channels", "kernel_size", "size", "groups")
    same += ("padding_mode", "antialias", "engine")
    arguments = {**given, **{key: getattr(layer, key) for key in same}}
    dtype = str(kernel.head.dtype).removeprefix("torch.")
    name = plain_class(layer).__name__
    return {"name": name, "arguments": arguments, "dtype": dtype}


def _build_layer(config: Config) -> ContinuousConv:
    arguments = dict(config["arguments"])
    arguments["kernel"] = _build_kernel(arguments["kernel"])
    scale, learned = arguments["scale"], arguments.pop("learnable_scale", None)
    if scale is not None:
        scale = [Fraction(*ratio) for ratio in scale]
    # Given at once, so that the parameters come in the order of the original.
    arguments["scale"] = scale if learned is None else _build_scale(**learned)
    if arguments.get("padding") is not None:
        arguments["padding"] = tuple(map(_build_placement, arguments["padding"]))
    layer = _LAYERS[config["name"]](**arguments)
    if learned is not None:
        layer.scale = scale
    return layer.to(_DTYPES[config["dtype"]])


def _build_scale(initial: Sequence[float], least: float, most: float) -> LearnableScale:
    return LearnableScale(initial, least=least, most=most)


def _build_placement(numbers: Sequence[int | None]) -> Placement:
    if not all(number is None or type(number) is int for number in numbers):
        raise TypeError(f"padding must be of whole numbers, got {numbers}")
    return Placement(*numbers)  # type: ignore


def _kernel_to_config(kernel: Any) -> Config:
    name = type(kernel).__name__
    if kernel_classes().get(name) is not type(kernel):
        raise ValueError(
            f"a kernel of class {name} is not of contconv.kernels, so that load could "
            "not build it; save the state_dict() of the layer with safetensors, and "
            "load it into a layer that you build"
        )
    config = {"name": name, "arguments": kernel.arguments()}
    with torch.device("meta"):
        changed = _settings(kernel).items() ^ _settings(_build_kernel(config)).items()
    if changed:
        raise ValueError(
            f"{min(changed)[0]} of a {name} has been set, so that load could not build "
            "it; make a kernel with the arguments that it should have"
        )
    return config


def _settings(kernel: ContinuousKernel) -> dict[str, str]:
    """The attributes of a kernel but for its mode, parameters and parts."""
    return {
        name: repr(value)
        for name, value in vars(kernel).items()
        if name[0] != "_" and name != "training"
    }


def _build_kernel(config: Config) -> ContinuousKernel:
    kinds = kernel_classes()
    if config["name"] not in kinds:
        raise ValueError(f"unknown kernel {config['name']!r}")
    return kinds[config["name"]](**config["arguments"])


def _classifier_to_config(model: Any) -> Config:
    first, last = model.features[0], model.classifier[-1]
    arguments = {
        "channels": first.out_channels,
        "hidden": model.classifier[1].out_features,
        "in_channels": first.in_channels,
        "classes": last.out_features,
    }
    layers = {
        str(i): _layer_to_config(layer)
        for i, layer in enumerate(model.features)
        if isinstance(layer, ContinuousConv)
    }
    return {"name": type(model).__name__, "arguments": arguments, "layers": layers}
