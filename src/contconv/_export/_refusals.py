"""Why a layer cannot become plain modules, and what to do instead."""

from contconv._export._layers import Shape
from contconv._export._pattern import (
    MOST_FILTERS,
    Pattern,
    count_filters,
    nearest,
    patterns,
)
from contconv._export._steps import KNOWN_MODES
from contconv.nn._layer import ContinuousConv


def refusal(layer: ContinuousConv, seen: list[Shape] | None) -> str | None:
    """The reason; None if it can be baked.

    Args:
        layer: At its own scale and size.
        seen: The sizes of its inputs; None if it is to serve all sizes.
    """
    if type(layer).forward is not ContinuousConv.forward:
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


def _too_many(found: tuple[Pattern, ...]) -> str | None:
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
    layer: ContinuousConv, found: tuple[Pattern, ...], seen: list[Shape]
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
