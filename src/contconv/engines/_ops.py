"""Operators for compiled graphs: what there is one node, and opaque.

Eager calls do not use them: with `torch.library`, forward mode gives a silent zero, and
torch.func does not differentiate them.
"""

from typing import Any

import torch
from torch import Tensor

from contconv.engines import _moments
from contconv.engines._bands import AxisBasis, bands_of
from contconv.engines._product import product as fast_product
from contconv.engines._resample import adjoint, resample_bands


@torch.library.custom_op("contconv::product", mutates_args=())
def product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b.T`` of ``[m, k]`` and ``[n, k]``."""
    return fast_product(a, b)


@product.register_fake
def _(a: Tensor, b: Tensor) -> Tensor:
    return a.new_empty(a.shape[0], b.shape[0])


def _product_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
    a, b = ctx.saved_tensors
    return product(gradient, b.T), product(gradient.T, a.T)


product.register_autograd(
    _product_backward,
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)


@torch.library.custom_op("contconv::resample", mutates_args=())
def resample(
    data: Tensor, source: Tensor, weights: Tensor, spend: bool, columns: bool
) -> Tensor:
    """`contconv.engines._resample.resample`, by bands."""
    bands = bands_of(AxisBasis(source, weights), data.shape[1])
    return resample_bands(data, bands, spend, columns)


@resample.register_fake
def _(
    data: Tensor, source: Tensor, weights: Tensor, spend: bool, columns: bool
) -> Tensor:
    m, _, _, inner = data.shape
    out = source.shape[0] if spend else source.shape[0] * weights.shape[2]
    return data.new_empty((m, inner, out) if columns else (m, out, inner))


@torch.library.custom_op("contconv::resample_adjoint", mutates_args=())
def resample_adjoint(
    gradient: Tensor,
    source: Tensor,
    weights: Tensor,
    inputs: int,
    spend: bool,
    columns: bool,
) -> Tensor:
    """The gradient of `resample` to its data, of so many ``inputs``."""
    bands = bands_of(AxisBasis(source, weights), inputs)
    return adjoint(gradient, bands, inputs, spend, columns)


@resample_adjoint.register_fake
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
        grad_data = resample_adjoint(
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


resample.register_autograd(_resample_backward, setup_context=_keep_for_resample)


@torch.library.custom_op("contconv::factored", mutates_args=())
def factored(pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor) -> Tensor:
    """`contconv.engines._moments.moments_then_head`, chunk by chunk."""
    return _moments.forward(pixels, source, basis, head)


@factored.register_fake
def _(pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor) -> Tensor:
    mixed = head.shape[0] * head.shape[1]
    return pixels.new_empty(pixels.shape[0], mixed, source.shape[0])


@torch.library.custom_op("contconv::factored_backward", mutates_args=())
def factored_backward(
    gradient: Tensor, pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of `factored` to pixels, basis and head."""
    found = _moments.backward(gradient, pixels, source, basis, head, [True] * 3)
    grad_pixels, grad_basis, grad_head = found
    assert grad_pixels is not None and grad_basis is not None and grad_head is not None
    return grad_pixels, grad_basis, grad_head


@factored_backward.register_fake
def _(
    gradient: Tensor, pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    like = torch.empty_like
    return like(pixels), like(basis), torch.empty_like(head)


def _factored_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    pixels, basis, head = factored_backward(gradient, *ctx.saved_tensors)
    return pixels, None, basis, head


factored.register_autograd(
    _factored_backward,
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)
