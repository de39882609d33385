"""One axis resampled: by bands, or by taps, or as one operator of a compiled graph.

Eager calls do not use them: with `torch.library`, forward mode gives a silent zero, and
torch.func does not differentiate them.
"""

from typing import Any, Literal

import torch
from torch import Tensor

from contconv._runtime.autograd import is_compiled
from contconv._runtime.finite import is_finite
from contconv._runtime.shapes import Float
from contconv.engines.separable.bands import bands_of
from contconv.engines.separable.resample import (
    Along,
    adjoint,
    adjoint_taps,
    resample_bands,
    resample_taps,
)
from contconv.engines.weights import AxisWeights


def expand_axis(
    data: Float[Tensor, "m inputs one inner"], along: Along
) -> Float[Tensor, "m outputs_rank inner"]:
    """Resample the second axis, which gains its basis: so many more outputs."""
    return _resampled(data, along, False, False)


def contract_axis(
    data: Float[Tensor, "m inputs rank inner"],
    along: Along,
    layout: Literal["rows", "columns"] = "rows",
) -> Tensor:
    """Resample the second axis, and sum over its basis.

    Returns:
        ``[m, outputs, inner]`` by rows, ``[m, inner, outputs]`` by columns.
    """
    return _resampled(data, along, True, layout == "columns")


def _resampled(data: Tensor, along: Along, spend: bool, columns: bool) -> Tensor:
    """By bands; or by taps, in PyTorch's operators or as one of a compiled graph."""
    if isinstance(along, AxisWeights):
        if is_compiled():
            return _resample_operator(data, *along, spend, columns)
        return resample_taps(data, along, spend, columns)
    return resample_bands(data, along, spend, columns)


@torch.library.custom_op("contconv::resample", mutates_args=())
def _resample_operator(
    data: Tensor, source: Tensor, weights: Tensor, spend: bool, columns: bool
) -> Tensor:
    """The axis resampled by bands; or by taps, where a band's zeros would make NaN."""
    along = AxisWeights(source, weights)
    out = resample_bands(data, bands_of(along, data.shape[1]), spend, columns)
    if is_finite(data, out):
        return out
    return resample_taps(data, along, spend, columns)


@_resample_operator.register_fake
def _(
    data: Tensor, source: Tensor, weights: Tensor, spend: bool, columns: bool
) -> Tensor:
    m, _, _, inner = data.shape
    out = source.shape[0] if spend else source.shape[0] * weights.shape[2]
    return data.new_empty((m, inner, out) if columns else (m, out, inner))


@torch.library.custom_op("contconv::resample_adjoint", mutates_args=())
def _adjoint_operator(
    gradient: Tensor,
    source: Tensor,
    weights: Tensor,
    inputs: int,
    spend: bool,
    columns: bool,
) -> Tensor:
    """The gradient to the data, of so many ``inputs``."""
    along = AxisWeights(source, weights)
    out = adjoint(gradient, bands_of(along, inputs), inputs, spend, columns)
    if is_finite(gradient, out):
        return out
    return adjoint_taps(gradient, along, inputs, spend, columns)


@_adjoint_operator.register_fake
def _(
    gradient: Tensor,
    source: Tensor,
    weights: Tensor,
    inputs: int,
    spend: bool,
    columns: bool,
) -> Tensor:
    inner = gradient.shape[1 if columns else 2]
    rank = weights.shape[2] if spend else 1
    return gradient.new_empty(gradient.shape[0], inputs, rank, inner)


def _resample_backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    data, source, weights = ctx.saved_tensors
    grad_data = grad_weights = None
    if ctx.needs_input_grad[0]:
        grad_data = _adjoint_operator(
            gradient, source, weights, ctx.inputs, ctx.spend, ctx.columns
        )
    if data is not None:
        rows = gradient.transpose(1, 2) if ctx.columns else gradient
        near = data.index_select(1, source.flatten()).unflatten(1, source.shape)
        if ctx.spend:
            grad_weights = torch.einsum("moi,motri->otr", rows, near)
        else:
            rows = rows.unflatten(1, (source.shape[0], weights.shape[2]))
            grad_weights = torch.einsum("mosi,motri->ots", rows, near)
    return grad_data, None, grad_weights, None, None


def _keep_for_resample(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    data, source, weights, ctx.spend, ctx.columns = inputs
    ctx.inputs = data.shape[1]
    ctx.save_for_backward(data if weights.requires_grad else None, source, weights)


_resample_operator.register_autograd(
    _resample_backward, setup_context=_keep_for_resample
)
