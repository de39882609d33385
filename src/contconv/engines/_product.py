"""Products of matrices, by the fastest routine that torch has for them."""

from typing import Any

import torch
from torch import Tensor

from contconv._transforms import is_compiled, is_transformed
from contconv._types import Float


def product(a: Float[Tensor, "m k"], b: Float[Tensor, "n k"]) -> Float[Tensor, "m n"]:
    """``a @ b.T``.

    In float32 on a CPU torch.mm calls MKL, which on AMD's processors runs at half the
    speed of oneDNN: 49 and 114 billion multiply-adds per second for 4096 x 64 x 576.
    """
    if is_compiled():
        return torch.ops.contconv.product(a, b)
    if not _has_linear(a):
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
