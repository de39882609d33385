"""The factored product: one function for autograd, one operator for compiled graphs.

Eager calls do not use them: with `torch.library`, forward mode gives a silent zero, and
torch.func does not differentiate them.
"""

from typing import Any

import torch
from torch import Tensor

from contconv._runtime.autograd import is_compiled, is_transformed
from contconv._runtime.shapes import Float, Int
from contconv.engines.factored import chunks


def moments_then_head(
    pixels: Float[Tensor, "n pixels c"],
    source: Int[Tensor, "p k"],
    basis: Float[Tensor, "p r k"],
    head: Float[Tensor, "g o i r"],
) -> Float[Tensor, "n out p"]:
    """The product, by the chunked function where autograd alone looks on."""
    if is_compiled():
        return factored(pixels, source, basis, head)
    if is_transformed():
        return chunks.at_once(pixels, source, basis, head)
    return chunks.Chunked.apply(pixels, source, basis, head)  # type: ignore


@torch.library.custom_op("contconv::factored", mutates_args=())
def factored(pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor) -> Tensor:
    """The product, chunk by chunk."""
    return chunks.forward(pixels, source, basis, head)


@factored.register_fake
def _(pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor) -> Tensor:
    mixed = head.shape[0] * head.shape[1]
    return pixels.new_empty(pixels.shape[0], mixed, source.shape[0])


@torch.library.custom_op("contconv::factored_backward", mutates_args=())
def factored_backward(
    gradient: Tensor, pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of `factored` to pixels, basis and head."""
    found = chunks.backward(gradient, pixels, source, basis, head, [True] * 3)
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
