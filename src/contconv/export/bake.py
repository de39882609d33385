"""bake: continuous layers at fixed scales become strided convolutions."""

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from torch import Tensor, fx, nn

from contconv._runtime.shapes import no_type_check
from contconv.export.graph import KNOWN_MODES
from contconv.export.layers import Seen, Shape, named_layers, seen_by, with_fixed_scales
from contconv.export.modules import as_modules
from contconv.export.periodicity import (
    MOST_FILTERS,
    Periodicity,
    count_filters,
    nearest,
    patterns,
)
from contconv.nn.layer import ContinuousConv
from contconv.nn.scales import using_scales
from contconv.surgery.converted import plain_class


def refusal(layer: ContinuousConv, seen: list[Shape] | None) -> str | None:
    """The reason; None if it can be baked.

    Args:
        layer: At its own scale and size.
        seen: The sizes of its inputs; None if it is to serve all sizes.
    """
    if plain_class(layer).forward is not ContinuousConv.forward:
        return "its class has a forward of its own; bake the layers that it uses"
    if layer._forward_hooks or layer._forward_pre_hooks:
        return "it has forward hooks, which would be lost; remove them first"
    if layer.padding_mode not in KNOWN_MODES:
        return (
            f"PyTorch has no module for padding_mode={layer.padding_mode!r}; use "
            f"to_onnx, or train it with one of {list(KNOWN_MODES)}"
        )
    if seen is None:
        if layer._size is not None:
            return (
                f"it has a size, {layer._size}, so that its grid depends on the size "
                "of the input; pass example=, an input of the size to bake it for"
            )
        return _too_many(patterns(layer, None))
    if not seen:
        return "the example does not reach it; pass one that does, or remove the layer"
    kinds = {patterns(layer, shape) for shape in seen}
    if len(kinds) > 1:
        return (
            f"the example reaches it at several sizes, {sorted(set(seen))}, which need "
            "different filters; make a copy of the layer for each"
        )
    (found,) = kinds
    return _too_many(found) or _too_small(layer, found, seen)


def _too_many(found: tuple[Periodicity, ...]) -> str | None:
    count = count_filters(found)
    if count <= MOST_FILTERS:
        return None
    axes = [one.kinds[0] for one in found]
    scale = ", ".join(f"{axis.up}/{axis.down}" for axis in axes)
    near = ", ".join(str(nearest(axis)) for axis in axes)
    phases = " x ".join(str(one.phases) for one in found)
    reason = f"its scale ({scale}) has {phases} sub-pixel phases"
    ways = f"use to_onnx, or a scale close by that repeats soon, such as ({near})"
    if any(len(one.kinds) > 1 for one in found):
        kinds = " x ".join(str(len(one.kinds)) for one in found)
        reason += f", for {kinds} remainders of the input's size"
        ways = f"pass example=, an input of the size to bake it for; {ways}"
    return f"{reason}: {count} filters, and at most {MOST_FILTERS} are made; {ways}"


def _too_small(
    layer: ContinuousConv, found: tuple[Periodicity, ...], seen: list[Shape]
) -> str | None:
    fewer = {"reflect": 1, "circular": 0}.get(layer.padding_mode)
    if fewer is None:
        return None
    for i, one in enumerate(found):
        least, size = max(one.before, one.after, 0) + fewer, min(s[i] for s in seen)
        if size < least:
            return (
                f"padding_mode={layer.padding_mode!r} needs at least {least} pixels on "
                f"axis {i - layer.ndim}, as PyTorch's modules have it, and the example "
                f"has {size}; use a larger one, or to_onnx"
            )
    return None


@no_type_check
def bake(
    model: nn.Module,
    scale: Any = None,
    *,
    example: Tensor | Sequence[Any] | None = None,
) -> nn.Module:
    r"""A copy in which PyTorch's own modules stand for the continuous layers.

    At a scale of ``p / q`` in lowest terms the grid repeats after ``p`` output pixels.
    So the layer is a strided convolution with ``p * p`` times the output channels, and
    pixel shuffle: what other libraries, compilers and quantizers know, and what loads
    without this package. It cannot change its scale any more.

    How the centred grid begins depends on the remainder of the input's size by ``q``.
    Without an example, all remainders are provided for, with filters for each; with
    one, those of the example, and other sizes are refused at the call.

    Args:
        model: A layer, or any network with continuous layers; it is left as it is.
        scale: For a layer, a scale as for its call; for a network, a sequence of them
            as for `contconv.using_scales`. Their own unless given.
        example: An input, or a tuple of the arguments of the network's forward. Layers
            with a ``size`` need it, as their grid depends on the input's size in every
            pixel.

    Returns:
        Modules of the same dtype, on the same device, with parameters that could be
        trained on: ``nn.Conv2d`` or ``nn.Sequential``, or a ``torch.fx.GraphModule``
        where sizes have to be computed. The output is the same, to rounding.

    Raises:
        TypeError, ValueError: If the scale does not fit.
        ValueError: If a layer cannot be baked: its scale has too many phases, it is
            called with a scale of its own, or its padding mode is unknown to PyTorch.
            The message names all such layers, with reasons and ways out.

    Example:
        >>> bake(ContinuousConv2d(8, 3, 4, scale=2))  # doctest: +NORMALIZE_WHITESPACE
        Sequential( (0): Conv2d(8, 12, kernel_size=(5, 5), stride=(1, 1),
                                padding=(2, 2))
                    (1): PixelShuffle(upscale_factor=2) )
        >>> layer = ContinuousConv2d(3, 8, 3)
        >>> baked = bake(layer, scale=2 / 3)
        >>> image = torch.rand(1, 3, 20, 31)
        >>> torch.allclose(baked(image), layer(image, scale=2 / 3), atol=1e-6)
        True
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a module, got {type(model).__name__}")
    model = with_fixed_scales(copy.deepcopy(model))
    layers = named_layers(model)
    if isinstance(model, ContinuousConv) and scale is not None:
        model.scale, model.size = scale, None
        scale = None
    with nullcontext() if scale is None else using_scales(model, scale):
        seen, reasons = (None, {}) if example is None else seen_by(model, example)
        _check(layers, seen, reasons)
        baked = {}
        for layer, name in layers.items():
            found = patterns(layer, seen[layer][0] if seen else None)
            baked[layer] = as_modules(layer, found, name).train(layer.training)
    return _without_classes(_replaced(model, baked))


def _check(
    layers: dict[ContinuousConv, str],
    seen: Seen | None,
    reasons: dict[ContinuousConv, str],
) -> None:
    """Raise with all reasons at once, those that are known and those of the layers."""
    texts = []
    for layer, name in layers.items():
        sizes = None if seen is None else seen[layer]
        reason = reasons.get(layer) or refusal(layer, sizes)
        if reason is not None:
            texts.append(f"{name} cannot be baked: {reason}")
    if texts:
        raise ValueError("\n".join(texts))


def _replaced(model: nn.Module, baked: dict[ContinuousConv, nn.Module]) -> nn.Module:
    if isinstance(model, ContinuousConv):
        return baked[model]
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):
            if isinstance(child, ContinuousConv):
                setattr(module, name, baked[child])
    return model


def _without_classes(model: nn.Module) -> nn.Module:
    """The network itself, or its graph if it is of a class of this package."""
    if not _of_ours(model):
        return model
    try:
        model = fx.symbolic_trace(model)
    except Exception as error:
        raise ValueError(
            f"{type(model).__name__} cannot be written in PyTorch's modules, as its "
            f"forward is no plain graph ({error}); use to_onnx"
        ) from error
    if left := _of_ours(model):
        raise ValueError(f"{left[0]} computes by itself; use to_onnx")
    return model


def _of_ours(model: nn.Module) -> list[str]:
    return [
        type(module).__name__
        for module in model.modules()
        if type(module).__module__.split(".")[0] == "contconv"
    ]
