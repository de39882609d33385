"""Matrix products, and the head applied by them."""

from typing import Any

import torch
from torch import Tensor

from contconv._runtime.autograd import is_batched, is_compiled, is_transformed
from contconv._runtime.shapes import Float


def contract_head(
    rows: Float[Tensor, "pixels rank_g_i"], head: Float[Tensor, "*left g o i rank"]
) -> Float[Tensor, "left_g_o pixels"]:
    """Contract channels and rank with the head, for each rank on its ``left``."""
    groups, o, i, rank = head.shape[-4:]
    if groups == 1:
        return product(head.transpose(-1, -2).reshape(-1, i * rank), rows)
    rows = rows.reshape(len(rows), rank, groups, i)
    if i == o == 1:
        scale = head.reshape(-1, groups, rank)
        return torch.einsum("prg,lgr->lgp", rows[..., 0], scale).flatten(0, 1)
    head = head.reshape(-1, groups, o, i, rank)
    return torch.einsum("prgi,lgoir->lgop", rows, head).flatten(0, 2)


def expand_head(
    rows: Float[Tensor, "pixels g_i"], head: Float[Tensor, "*left g o i rank"]
) -> Float[Tensor, "pixels rank left_g_o"]:
    """Contract the channels with the head, which adds the rank."""
    groups, o, i, rank = head.shape[-4:]
    if groups == 1:
        matrix = head.movedim(-1, 0).reshape(-1, i)
        return product(rows, matrix).view(len(rows), rank, len(matrix) // rank)
    if i == o == 1:
        scale = head.movedim(-1, 0).reshape(rank, -1, groups)
        return (rows[:, None, None] * scale).flatten(2)
    head = head.reshape(-1, groups, o, i, rank)
    out = torch.einsum("pgi,lgoir->prlgo", rows.reshape(len(rows), groups, i), head)
    return out.flatten(2)


def contract_head_rows(
    rows: Float[Tensor, "pixels rank_g_i"], head: Float[Tensor, "g o i rank"]
) -> Float[Tensor, "pixels g_o"]:
    """`contract_head` with channels-last output."""
    groups, o, i, rank = head.shape
    if groups == 1:
        return product(rows, head[0].transpose(1, 2).reshape(o, rank * i))
    rows = rows.view(len(rows), rank, groups, i)
    return torch.einsum("prgi,goir->pgo", rows, head).flatten(1)


def contract_head_backward(
    gradient: Float[Tensor, "g_o pixels"],
    rows: Float[Tensor, "pixels rank_g_i"],
    head: Float[Tensor, "g o i rank"],
) -> tuple[Tensor, Tensor]:
    """The gradients of `contract_head` to its rows and to the head."""
    groups, o, i, rank = head.shape
    if groups == 1:
        matrix = head[0].transpose(1, 2).reshape(o, rank * i)
        grad_rows = product(gradient.T, matrix.T)
        grad_head = product(gradient, rows.T).view(1, o, rank, i)
        return grad_rows, grad_head.transpose(2, 3)
    rows = rows.view(len(rows), rank, groups, i)
    gradient = gradient.view(groups, o, len(rows))
    grad_rows = torch.einsum("gop,goir->prgi", gradient, head)
    return grad_rows.flatten(1), torch.einsum("gop,prgi->goir", gradient, rows)


def product(a: Float[Tensor, "m k"], b: Float[Tensor, "n k"]) -> Float[Tensor, "m n"]:
    """``a @ b.T``.

    In float32 on a CPU torch.mm calls MKL, which on AMD's processors runs at half the
    speed of oneDNN: 49 and 114 billion multiply-adds per second for 4096 x 64 x 576.
    """
    if is_compiled():
        return _product_operator(a, b)
    if not (_has_linear(a) and a.numel() and b.numel()):
        return torch.mm(a, b.T)
    if torch.is_grad_enabled() and (a.requires_grad or b.requires_grad):
        return _Product.apply(a, b)  # type: ignore
    return _linear(a, b)


def _linear(a: Tensor, b: Tensor) -> Tensor:
    if not b.is_contiguous():
        # Of a part of a matrix, oneDNN would take a thousand times as long to copy it.
        b = b.T.contiguous().T
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")


class _Product(torch.autograd.Function):
    """The product by oneDNN, whose operator has no derivatives of its own."""

    @staticmethod
    def forward(a: Tensor, b: Tensor) -> Tensor:
        return _linear(a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient, (a, b) = gradients[0], ctx.saved_tensors
        if is_batched(gradient):
            return torch.mm(gradient, b), torch.mm(gradient.T, a)
        grad_a = product(gradient, b.T) if ctx.needs_input_grad[0] else None
        grad_b = product(gradient.T, a.T) if ctx.needs_input_grad[1] else None
        return grad_a, grad_b


def _has_linear(a: Tensor) -> bool:
    plain = a.dtype == torch.float32 and a.device.type == "cpu"
    return plain and not is_transformed() and has_onednn()


def has_onednn() -> bool:
    """Whether this PyTorch has oneDNN's product."""
    mkldnn = torch.backends.mkldnn
    there = mkldnn.is_available() and mkldnn.enabled
    return there and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@torch.library.custom_op("contconv::product", mutates_args=())
def _product_operator(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b.T`` of ``[m, k]`` and ``[n, k]``."""
    return product(a, b)


@_product_operator.register_fake
def _(a: Tensor, b: Tensor) -> Tensor:
    return a.new_empty(a.shape[0], b.shape[0])


def _product_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
    a, b = ctx.saved_tensors
    return _product_operator(gradient, b.T), _product_operator(gradient.T, a.T)


_product_operator.register_autograd(
    _product_backward,
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)
