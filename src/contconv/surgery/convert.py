"""convert: continuous layers in the place of discrete ones."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from contconv._runtime.shapes import no_type_check
from contconv.kernels.names import LEARNED
from contconv.nn.layer import ContinuousConv
from contconv.nn.observe import Shapes, shapes
from contconv.surgery.conversion import (
    Conversion,
    Row,
    Swap,
    grid_text,
    off_centre,
    scale_text,
)
from contconv.surgery.describe import cost_of, layer_cost, parameters
from contconv.surgery.discrete import Discrete, resizes
from contconv.surgery.find import Match, Where, find
from contconv.surgery.replace import built, places, stands_in, swap
from contconv.surgery.upsample import Classical


@no_type_check
def convert(
    model: nn.Module,
    where: Where | None = None,
    *,
    init: str = "fit",
    align: str = "keep",
    kernel: str = "cosine",
    example: Any = None,
    dry_run: bool = False,
    tolerance: float = 1e-4,
) -> Conversion:
    """Replace convolutions of a network by continuous ones, which take any scale.

    What is replaced are convolutions, transposed convolutions, ``nn.Upsample`` (by a
    fixed kernel), and, where they stand right before a convolution in one
    ``nn.Sequential``, enlargements to the nearest pixel and poolings together with it.
    With ``init="fit"`` the network stays the same function: the kernels pass through
    the trained taps. It keeps its hooks, devices, dtypes and modes, and still loads a
    ``state_dict`` that was saved before. The parameters are new: make the optimizer
    afterwards.

    All layers are made before the first one is put in place, so that the network is
    converted as a whole or, after an error, not at all.

    Args:
        model: Any network; it is changed in place.
        where: Which layers to replace, by name and module; unless given, those that
            change the size of what they are given.
        init: ``"fit"``, to keep the trained function, or ``"fresh"``, to start anew,
            for which a maximum may be replaced, too.
        align: A strided convolution counts its pixels from the first one: with an odd
            filter and an even stride, its output is half a pixel off the centre where
            the stride divides the size. ``"keep"`` leaves it there, so that all outputs
            stay the same; ``"center"`` centres it as Eq. 2 of the paper does.
        kernel: The kernels: ``"cosine"``, ``"mlp"``, or, to start anew, ``"spline"``.
        example: An input of the network, or a tuple of them, for shapes and costs.
        dry_run: Whether only to report.
        tolerance: With ``init="fit"``, how far a kernel may be off at any tap, over the
            largest one; layers that are further off are left alone.

    Returns:
        A row for each chosen layer, with the reason where it is left alone.

    Raises:
        TypeError: If ``model`` is no module.
        ValueError: If ``init``, ``align`` or ``kernel`` is unknown.

    Example:
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU())
        >>> image = torch.rand(1, 3, 16, 16)
        >>> before = model(image)
        >>> report = convert(model)
        >>> torch.allclose(model(image), before, atol=1e-6)
        True
        >>> model[0](image, scale=0.8).shape
        torch.Size([1, 8, 13, 13])
        >>> report.undo()[0]
        Conv2d(3, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))
    """
    _check(model, init, align, kernel)
    found = list(find(model, where or resizes, fresh=init == "fresh"))
    modules = [module for one in found for module in one.modules]
    seen = {} if example is None else shapes(model, example, modules)
    rows: list[Row] = []
    swaps: list[Swap] = []
    for one in found:
        row, layer = _replaced(one, init == "fit", align, kernel, tolerance, seen)
        rows.append(row)
        if layer is not None:
            swaps += _swaps(model, one, layer)
    report = Conversion(model, rows, _original=model, _swaps=swaps)
    if not dry_run:
        apply(report)
    return report


def apply(report: Conversion) -> None:
    """Put the new layers in their places."""
    for one in report._swaps:
        report.model = swap(report.model, one.names, one.after)
    report.applied = True


def _check(model: Any, init: str, align: str, kernel: str) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if init not in ("fit", "fresh"):
        raise ValueError(f"init must be 'fit' or 'fresh', got {init!r}")
    if align not in ("keep", "center"):
        raise ValueError(f"align must be 'keep' or 'center', got {align!r}")
    if kernel not in LEARNED:
        raise ValueError(f"kernel must be one of {tuple(LEARNED)}, got {kernel!r}")


def _replaced(
    one: Match,
    fits: bool,
    align: str,
    kernel: str,
    tolerance: float,
    seen: dict[nn.Module, Shapes],
) -> tuple[Row, ContinuousConv | None]:
    """The row of a layer, and what replaces it."""
    was = " + ".join(type(module).__name__ for module in one.modules)
    row = Row(one.names[-1], was, reason=one.reason)
    discrete = one.discrete
    if discrete is None:
        return row, None
    if isinstance(discrete, Classical):
        return _classical(row, discrete, seen.get(discrete.module))
    if align == "center":
        centred = tuple(p._replace(pixels=None, outputs=0) for p in discrete.placements)
        discrete = replace(discrete, placements=centred)
    layer, error = built(discrete, kernel, fits=fits)
    if error is not None and not error <= tolerance:
        reason = (
            f"kernel {kernel!r} is off by {error:.1e} of the largest tap, tolerance is "
            f"{tolerance:.1e}; take another kernel, or init='fresh'"
        )
        return replace(row, reason=reason), None
    row = replace(
        row,
        becomes=type(layer).__name__,
        scale=scale_text(discrete.scale),
        note=discrete.note,
        error=error,
        parameters=(parameters(discrete.module), parameters(layer)),
    )
    if one.modules[0] in seen and one.modules[-1] in seen:
        ends = (seen[one.modules[0]].before, seen[one.modules[-1]].after)
        return _measured(row, one, discrete, layer, seen, Shapes(*ends)), layer
    return replace(row, grid=grid_text(discrete.placements)), layer


def _classical(
    row: Row, found: Classical, ends: Shapes | None
) -> tuple[Row, ContinuousConv | None]:
    """The row of an enlargement, and the fixed kernel that replaces it."""
    if ends is None:
        reason = "how many channels it is given is unknown; pass example="
        return replace(row, reason=reason), None
    layer = stands_in(found.layer(ends.before), found.module)
    cost = layer_cost(layer, ends, torch.float32)
    row = replace(
        row,
        becomes=type(layer).__name__,
        scale="" if layer.scale is None else scale_text(layer.scale),
        grid="centred",
        note=type(layer.kernel).__name__,
        parameters=(0, 0),
        multiply_adds=(0, cost),
        in_shape=ends.before,
        out_shape=ends.after,
    )
    return row, layer


def _measured(
    row: Row,
    one: Match,
    discrete: Discrete,
    layer: ContinuousConv,
    seen: dict[nn.Module, Shapes],
    ends: Shapes,
) -> Row:
    """With the shapes of the example, and what it costs."""
    before = sum(cost_of(module, seen[module]) for module in one.modules)
    return replace(
        row,
        grid=off_centre(discrete, ends),
        multiply_adds=(before, layer_cost(layer, ends, discrete.weight.dtype)),
        in_shape=ends.before,
        out_shape=ends.after,
    )


def _swaps(model: nn.Module, one: Match, layer: nn.Module) -> list[Swap]:
    """The last module gives way to the layer, those before it to nothing."""
    *before, last = one.modules
    swaps = [Swap(places(model, last), last, layer)]
    return [Swap(places(model, m), m, nn.Identity()) for m in before] + swaps
