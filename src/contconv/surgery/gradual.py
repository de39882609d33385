"""gradual: layers of a large scale, replaced by several of its root each."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import nn

from contconv._runtime.arguments import as_whole
from contconv._runtime.shapes import no_type_check
from contconv._runtime.text import scale_text
from contconv.kernels.names import learned_class
from contconv.nn.gradual import Gradual
from contconv.nn.layer import ContinuousConv
from contconv.nn.observe import Call, first_calls, observed
from contconv.surgery.conversion import Conversion, Row, Swap
from contconv.surgery.convert import apply
from contconv.surgery.converted import name_of
from contconv.surgery.describe import cost_of, describe, parameters
from contconv.surgery.discrete import CONVOLUTIONS, TRANSPOSED, Discrete, resizes
from contconv.surgery.find import Where, find
from contconv.surgery.replace import places, stands_in


@no_type_check
@torch.inference_mode(False)  # parameters made in it could not learn
def gradual(
    model: nn.Module,
    layers: int = 2,
    where: Where | None = None,
    *,
    kernel: str = "spline",
    activation: Callable[[], nn.Module] | None = nn.ReLU,
    example: Any = None,
    dry_run: bool = False,
) -> Conversion:
    """Replace each layer of a large scale by several that share it, untrained.

    The paper's networks shrink by about 0.8 a layer, where others halve the size. What
    is replaced are continuous layers, convolutions and transposed convolutions; each
    becomes a `Gradual` that gives as many pixels, with the channels of the old layer's
    output in between. With ``dry_run=True`` and an example, it only plans: all shapes,
    scales, parameters and multiply-adds, before anything is built. `describe` shows the
    layers of a `Gradual` one by one, also of one on "meta".

    Args:
        model: Any network; it is changed in place.
        layers: How many layers take the place of one.
        where: Which layers to replace, by name and module; unless given, those that
            have a scale other than 1.
        kernel: Of the new layers: ``"spline"`` (two pixels wider than the old filter,
            with as many parameters), ``"cosine"`` or ``"mlp"``.
        activation: Makes what stands between two layers; None for nothing.
        example: An input of the network, or a tuple of them, for shapes and costs.
        dry_run: Whether only to report.

    Returns:
        A row for each chosen layer.

    Raises:
        TypeError, ValueError: As `convert`, or if ``layers`` is not at least 1.

    Example:
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU())
        >>> plan = gradual(model, 2, example=torch.rand(1, 3, 16, 16), dry_run=True)
        >>> plan.rows[0].scale
        '0.7071, 0.7071'
        >>> plan.rows[0].parameters
        (224, 808)
    """
    as_whole(layers, "layers")
    chosen = list(_chosen(model, where or _scales))
    modules = [one.module for one in chosen]
    calls = [] if example is None else observed(model, example, modules)
    seen = first_calls(calls)
    report = Conversion(model, [], _original=model)
    for one in chosen:
        row = Row(one.name, name_of(one.module), reason=one.reason)
        if one.options is not None:
            options = {**one.options, "layers": layers, "activation": activation}
            options = _with_kernel(options, kernel)
            row = _planned(row, one.module, options, seen.get(one.module))
            if not dry_run:
                report._swaps.append(_swap(model, one.module, options))
        report.rows.append(row)
    if not dry_run:
        apply(report)
    return report


class _Chosen(NamedTuple):
    """A layer, and the arguments of what replaces it; or why nothing does."""

    name: str
    module: nn.Module
    options: dict[str, Any] | None
    reason: str = ""


def _chosen(model: nn.Module, where: Where) -> Iterator[_Chosen]:
    for name, module in model.named_modules():
        if isinstance(module, ContinuousConv) and where(name, module):
            yield _of_continuous(name, module)

    def convolves(name: str, module: nn.Module) -> bool:
        return isinstance(module, (*CONVOLUTIONS, *TRANSPOSED)) and where(name, module)

    for found in find(model, convolves, None, fresh=True):
        name, module = found.names[0], found.modules[0]
        if isinstance(found.discrete, Discrete):
            yield _Chosen(name, module, _of_discrete(found.discrete))
        else:
            yield _Chosen(name, module, None, found.reason)


def _scales(name: str, module: nn.Module) -> bool:
    """Whether a layer has a scale other than 1."""
    if isinstance(module, ContinuousConv):
        return module.scale is not None and any(scale != 1 for scale in module.scale)
    return resizes(name, module)


def _of_continuous(name: str, layer: ContinuousConv) -> _Chosen:
    if layer._ratios is None:
        why = "it has no scale of its own that could be shared; set its scale"
        return _Chosen(name, layer, None, why)
    options = {
        "in_channels": layer.in_channels,
        "out_channels": layer.out_channels,
        "kernel_size": layer.kernel_size,
        "scale": layer._ratios,
        "size": layer.size,
        "axes": layer.ndim,
        "groups": layer.groups,
        "bias": layer.bias is not None,
        "padding": layer.placements,
        "padding_mode": layer.padding_mode,
        "antialias": layer.antialias,
        "engine": layer.engine,
    }
    return _Chosen(name, layer, options)


def _of_discrete(found: Discrete) -> dict[str, Any]:
    module = found.module
    return {
        "in_channels": module.in_channels,
        "out_channels": module.out_channels,
        "kernel_size": found.kernel_size,
        "scale": found.scale,
        "axes": len(found.kernel_size),
        "groups": module.groups,
        "bias": module.bias is not None,
        "padding": found.placements,
        "padding_mode": found.padding_mode,
    }


def _with_kernel(options: dict[str, Any], kernel: str) -> dict[str, Any]:
    size = learned_class(kernel).size_for(options["kernel_size"])
    return {**options, "kernel": kernel, "kernel_size": size}


def _planned(
    row: Row, module: nn.Module, options: dict[str, Any], call: Call | None
) -> Row:
    """With what the new layers take; they are planned on "meta"."""
    new = Gradual(**options, device="meta")
    layers = [layer for layer in new if isinstance(layer, ContinuousConv)]
    row = replace(
        row,
        becomes=f"{len(layers)} x {type(layers[0]).__name__}",
        scale=", ".join(scale_text(layer.scale or ()) for layer in layers),
        grid="centred",
        parameters=(parameters(module), parameters(new)),
    )
    if call is None:
        return row
    before, after = call.shapes
    costs = cost_of(module, before, after), describe(new, before).multiply_adds
    return replace(row, multiply_adds=costs, in_shape=before, out_shape=after)


def _swap(model: nn.Module, module: nn.Module, options: dict[str, Any]) -> Swap:
    like = next(module.parameters())
    new = Gradual(**options, device=like.device, dtype=like.dtype)
    return Swap(places(model, module), module, stands_in(new, module))
