"""convert: continuous layers in the place of discrete ones."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from contconv._grid.placement import Placement
from contconv._runtime.shapes import no_type_check
from contconv._runtime.text import scale_text
from contconv.kernels.names import LEARNED
from contconv.nn.layer import ContinuousConv
from contconv.nn.observe import Call, Shape, first_calls, observed
from contconv.surgery.antialias import (
    activations,
    after_maximum,
    antialiased,
    padding_of,
)
from contconv.surgery.conversion import (
    Conversion,
    Row,
    Swap,
    grid_text,
    off_centre,
)
from contconv.surgery.converted import Converted, name_of
from contconv.surgery.describe import cost_of, parameters
from contconv.surgery.discrete import Discrete, resizes
from contconv.surgery.find import KINDS, Match, Where, find
from contconv.surgery.fixed import Fixed
from contconv.surgery.replace import built, places, stands_in, swap


@no_type_check
@torch.inference_mode(False)  # parameters made in it could not learn
def convert(
    model: nn.Module,
    where: Where | None = None,
    *,
    init: str = "fit",
    align: str = "keep",
    kernel: str = "cosine",
    antialias: bool = False,
    example: Any = None,
    dry_run: bool = False,
    tolerance: float = 1e-4,
) -> Conversion:
    """Replace convolutions of a network by continuous ones, which take any scale.

    What is replaced are convolutions, transposed convolutions, and, by fixed kernels,
    ``nn.Upsample`` and means of blocks. An enlargement to the nearest pixel or a
    pooling becomes one layer with the convolution after it in the same
    ``nn.Sequential``, if an example shows that nothing else takes what is in between,
    and no hook looks there.

    With ``init="fit"`` the network stays the same function: the kernels pass through
    the trained taps. It keeps its hooks, devices, dtypes and modes, and still loads a
    ``state_dict`` that was saved before. A layer has the settings of what it replaces,
    such as ``stride``; its ``weight``, to be read or set as a whole; and takes the
    ``output_size`` of a transposed convolution. The parameters are new, under the name
    ``kernel.head``: make the optimizer afterwards.

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
        antialias: Whether the features should move as the image does, by any part of a
            pixel: what shrinks gets a low-pass filter (a convolution keeps its taps, by
            a `kernels.BandlimitedKernel`; a maximum is taken at every pixel first), and
            activations work at a finer sampling (`nn.AliasFree`), those that are
            modules. The function is another one: train it again.
        example: An input of the network, or a tuple of its arguments: for shapes, costs
            and what can be replaced only together.
        dry_run: Whether only to report.
        tolerance: With ``init="fit"``, how far a kernel may be off at any tap, over the
            largest one; layers that are further off are left alone.

    Returns:
        A row for each chosen layer, with the reason where it is left alone.

    Raises:
        TypeError: If ``model`` is no module, or ``where`` no function.
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
    _check(model, where, init, align, kernel)
    calls = None if example is None else observed(model, example, _looked_at(model))
    rows: list[Row] = []
    swaps: list[Swap] = []
    fresh, pad = init == "fresh" and not antialias, padding_of(model)
    for one in find(model, where or resizes, calls, fresh=fresh):
        own = [call for call in calls or () if call.module in one.modules]
        one = antialiased(one, pad) if antialias else one
        if isinstance(one.discrete, Fixed):
            row, layer = _fixed(one, one.discrete, own)
        else:
            row, layer = _replaced(one, init == "fit", align, kernel, tolerance, own)
        rows.append(row)
        if layer is not None:
            swaps += _swaps(model, one, layer)
    for row, change in activations(model, where, pad) if antialias else ():
        rows.append(row)
        swaps.append(change)
    report = Conversion(model, rows, _original=model, _swaps=swaps)
    if not dry_run:
        apply(report)
    return report


def _looked_at(model: nn.Module) -> list[nn.Module]:
    """The modules whose calls say what can be replaced."""
    return [m for m in model.modules() if isinstance(m, (*KINDS, nn.Sequential))]


def apply(report: Conversion) -> None:
    """Put the new layers in their places."""
    for one in report._swaps:
        report.model = swap(report.model, one.names, one.after)
    report.applied = True


def _check(model: Any, where: Any, init: str, align: str, kernel: str) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if where is not None and not callable(where):
        raise TypeError(
            "where must be a function of a layer's name and the layer, such as lambda "
            f"name, layer: name == 'conv1', got {type(where).__name__}"
        )
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
    calls: Sequence[Call],
) -> tuple[Row, Converted | None]:
    """The row of a convolution, or of a layer and one, and what replaces it."""
    was = " + ".join(type(module).__name__ for module in one.modules)
    row = Row(one.names[-1], was, reason=one.reason)
    discrete = one.discrete
    if not isinstance(discrete, Discrete):
        return row, None
    if align == "center":
        centred = tuple(p._replace(pixels=None, outputs=0) for p in discrete.placements)
        sized = None if discrete.sized is None else centred
        discrete = replace(discrete, placements=centred, sized=sized)
    layer, error = built(discrete, kernel, fits=fits)
    if error is not None and not error <= tolerance:
        reason = (
            f"kernel {kernel!r} is off by {error:.1e} of the largest tap, tolerance is "
            f"{tolerance:.1e}; take another kernel, or init='fresh'"
        )
        return replace(row, reason=reason), None
    layer.tolerance = tolerance
    row = replace(
        row,
        becomes=name_of(layer),
        scale=scale_text(discrete.scale),
        grid=grid_text(discrete.placements),
        note="; ".join(_changes(one, discrete, layer)),
        error=error,
        parameters=(parameters(discrete.module), parameters(layer)),
    )
    seen = first_calls(calls)
    if any(module not in seen for module in one.modules):
        return row, layer
    shapes = seen[one.modules[0]].shapes[0], seen[one.modules[-1]].shapes[1]
    before = sum(cost_of(module, *seen[module].shapes) for module in one.modules)
    row = replace(row, grid=off_centre(discrete, *shapes))
    return _measured(row, before, layer, *shapes), layer


def _changes(one: Match, discrete: Discrete, layer: Converted) -> Iterator[str]:
    """What does not stay the same, in words."""
    if discrete.note:
        yield discrete.note
    for name in one.names[:-1]:
        yield f"{name!r} passes its input on"
    if discrete.low_passed:
        yield "low-passed"
    if layer.kernel_size != tuple(discrete.module.kernel_size):
        yield f"kernel_size is {layer.kernel_size}, in input pixels"


def _fixed(
    one: Match, found: Fixed, calls: Sequence[Call]
) -> tuple[Row, nn.Module | None]:
    """The row of a resizing, and the fixed kernel that replaces it."""
    row = Row(one.names[0], type(found.module).__name__)
    shapes = [call.shapes for call in calls if call.before and call.after]
    if not shapes:
        reason = "how many channels it is given is unknown; pass example="
        return replace(row, reason=one.reason or reason), None
    layers = [found.layer(before) for before, _ in shapes]
    if len({layer.in_channels for layer in layers}) > 1:
        reason = "it is given several numbers of channels; make it a module for each"
        return replace(row, reason=reason), None
    layer = stands_in(layers[0], found.module)
    note = type(layer.kernel).__name__
    row = replace(
        row,
        becomes=type(layer).__name__,
        scale="" if layer.scale is None else scale_text(layer.scale),
        grid=grid_text(found.placements or (Placement(),)),
        note=f"{note}; {one.reason}" if one.reason else note,
    )
    row = _measured(row, 0, layer, *shapes[0])
    return row, after_maximum(found.module, layer)


def _measured(
    row: Row, cost: int, layer: ContinuousConv, before: Shape, after: Shape
) -> Row:
    """With the shapes of the example, and what it costs."""
    costs = (cost, cost_of(layer, before, after))
    return replace(row, multiply_adds=costs, in_shape=before, out_shape=after)


def _swaps(model: nn.Module, one: Match, layer: nn.Module) -> list[Swap]:
    """The last module gives way to the layer, those before it to nothing."""
    *before, last = one.modules
    swaps = [Swap(places(model, last), last, layer)]
    return [Swap(places(model, m), m, nn.Identity()) for m in before] + swaps
