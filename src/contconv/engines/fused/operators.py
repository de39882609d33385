"""The fused product and its gradients, as custom operators and as autograd function.

Tensors are ``pixels [n, size, groups i]``, the factors of a table (`Tables`), and
``head [groups, o, i, r]``. Triton is imported when the first kernel runs.
"""

from typing import Any

import torch
from torch import Tensor

from contconv._runtime.autograd import (
    differentiable_gradients,
    is_compiled,
    is_transformed,
)
from contconv._runtime.shapes import Float
from contconv.engines.fused.tap_tables import Factor, Tables, rows, transposed


def product(
    pixels: Float[Tensor, "n size c"],
    tables: Tables,
    head: Float[Tensor, "g o i r"],
    planes: bool,
) -> Float[Tensor, "n p out"]:
    """The sum over taps and the product with the head, rounded as the pixels are.

    In memory the channels of a pixel lie together, or else each channel's ``planes``.
    """
    if is_transformed() and not is_compiled():
        return _plain(pixels, tables, head)
    given = (pixels, *tables.a, *tables.b, tables.across, head, planes)
    if is_compiled():
        return fused(*given)
    return _Fused.apply(*given)  # type: ignore


def _plain(pixels: Tensor, tables: Tables, head: Tensor) -> Tensor:
    """The product in PyTorch's operators, which have derivatives of every order."""
    source, basis = tables.whole()
    near = pixels.to(basis).index_select(1, source.flatten()).unflatten(1, source.shape)
    moments = torch.matmul(basis, near).unflatten(3, (head.shape[0], -1))
    out = torch.einsum("nprgi,goir->npgo", moments, head.to(basis))
    return out.flatten(2).to(pixels.dtype)


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(*given: Any) -> Tensor:
        return fused(*given)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.across, head, _ = inputs
        ctx.save_for_backward(*tensors, head)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        *tensors, head = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return _backward(ctx, gradients[0])
        a, b = Factor(*tensors[1:3]), Factor(*tensors[3:5])
        out = _plain(tensors[0], Tables(a, b, ctx.across), head)
        inputs, wanted = (tensors[0], tensors[2], head), ctx.needs_input_grad
        wanted = [wanted[place] for place in (0, 2, 6)]
        found = differentiable_gradients(out, inputs, wanted, gradients[0])
        return found[0], None, found[1], None, None, None, found[2], None


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    pixels, source_a, basis_a, source_b, basis_b, head = ctx.saved_tensors
    table = (source_a, basis_a, source_b, basis_b, ctx.across)
    to_pixels = to_basis = to_head = None
    if ctx.needs_input_grad[0]:
        to_pixels = fused_to_pixels(gradient, *table, head, pixels.shape[1])
    if ctx.needs_input_grad[2]:
        to_basis = fused_to_basis(gradient, pixels, source_a, basis_a, head)
    if ctx.needs_input_grad[6]:
        to_head = fused_to_head(gradient, pixels, *table, head)
    return to_pixels, None, to_basis, None, None, None, to_head, None


@torch.library.custom_op("contconv::fused", mutates_args=())
def fused(
    pixels: Tensor,
    source_a: Tensor,
    basis_a: Tensor,
    source_b: Tensor,
    basis_b: Tensor,
    across: int,
    head: Tensor,
    planes: bool,
) -> Tensor:
    """``[n, p, groups o]``, in one kernel."""
    from contconv.engines.fused import forward

    out = _output(pixels, source_a, source_b, head, planes)
    a, b = rows(Factor(source_a, basis_a)), rows(Factor(source_b, basis_b))
    matrix = head.float().permute(0, 3, 1, 2).contiguous()
    if out.numel():
        how = _precision(pixels)
        forward.product(pixels.contiguous(), a, b, across, matrix, out, how)
    return out


@torch.library.custom_op("contconv::fused_to_pixels", mutates_args=())
def fused_to_pixels(
    gradient: Tensor,
    source_a: Tensor,
    basis_a: Tensor,
    source_b: Tensor,
    basis_b: Tensor,
    across: int,
    head: Tensor,
    size: int,
) -> Tensor:
    """The gradient to so many pixels: the same kernel on the transposed tables."""
    from contconv.engines.fused import forward

    out = gradient.new_empty(len(gradient), size, head.shape[0] * head.shape[2])
    a = transposed(Factor(source_a, basis_a), size // across)
    b = transposed(Factor(source_b, basis_b), across)
    matrix = head.float().permute(0, 3, 2, 1).contiguous()
    if out.numel():
        how, across = _precision(gradient), len(source_b)
        forward.product(gradient.contiguous(), a, b, across, matrix, out, how)
    return out


@torch.library.custom_op("contconv::fused_to_basis", mutates_args=())
def fused_to_basis(
    gradient: Tensor, pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor
) -> Tensor:
    """The gradient to the basis of a whole table."""
    from contconv.engines.fused import grad_basis

    if not pixels.numel() or not gradient.numel():
        return basis.new_zeros(basis.shape)
    matrix = head.float().permute(0, 3, 1, 2).contiguous()
    a, how = rows(Factor(source, basis)), _precision(pixels)
    gradient, pixels = gradient.contiguous(), pixels.contiguous()
    return grad_basis.to_basis(gradient, pixels, a, matrix, how).to(basis.dtype)


@torch.library.custom_op("contconv::fused_to_head", mutates_args=())
def fused_to_head(
    gradient: Tensor,
    pixels: Tensor,
    source_a: Tensor,
    basis_a: Tensor,
    source_b: Tensor,
    basis_b: Tensor,
    across: int,
    head: Tensor,
) -> Tensor:
    """The gradient to the head."""
    from contconv.engines.fused import grad_head

    if not pixels.numel() or not gradient.numel():
        return torch.zeros_like(head, memory_format=torch.contiguous_format)
    a, b = rows(Factor(source_a, basis_a)), rows(Factor(source_b, basis_b))
    gradient, pixels = gradient.contiguous(), pixels.contiguous()
    o, how = head.shape[1], _precision(pixels)
    found = grad_head.to_head(gradient, pixels, a, b, across, o, how)
    return found.permute(0, 3, 2, 1).to(head.dtype).contiguous()


def _output(
    pixels: Tensor, source_a: Tensor, source_b: Tensor, head: Tensor, planes: bool
) -> Tensor:
    shape = pixels.shape[0], source_a.shape[0] * source_b.shape[0]
    channels = head.shape[0] * head.shape[1]
    if planes:
        return pixels.new_empty(shape[0], channels, shape[1]).transpose(1, 2)
    return pixels.new_empty(*shape, channels)


def _precision(tensor: Tensor) -> str:
    """How tensor cores take float32: in one part, or in three that are almost exact.

    TF32 has every bit of bfloat16 and float16. Z rounded to bfloat16 would be twice as
    fast, but has up to 2.3 times the error of Eq. 1 in bfloat16.
    """
    if tensor.dtype != torch.float32:
        return "tf32"
    allowed = torch.backends.cuda.matmul.fp32_precision == "tf32"
    return "tf32" if allowed else "tf32x3"


@fused.register_fake
def _(
    pixels: Tensor,
    source_a: Tensor,
    basis_a: Tensor,
    source_b: Tensor,
    basis_b: Tensor,
    across: int,
    head: Tensor,
    planes: bool,
) -> Tensor:
    return _output(pixels, source_a, source_b, head, planes)


@fused_to_pixels.register_fake
def _(
    gradient: Tensor,
    source_a: Tensor,
    basis_a: Tensor,
    source_b: Tensor,
    basis_b: Tensor,
    across: int,
    head: Tensor,
    size: int,
) -> Tensor:
    channels = head.shape[0] * head.shape[2]
    return gradient.new_empty(gradient.shape[0], size, channels)


@fused_to_basis.register_fake
def _(
    gradient: Tensor, pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor
) -> Tensor:
    return basis.new_empty(basis.shape)


@fused_to_head.register_fake
def _(
    gradient: Tensor,
    pixels: Tensor,
    source_a: Tensor,
    basis_a: Tensor,
    source_b: Tensor,
    basis_b: Tensor,
    across: int,
    head: Tensor,
) -> Tensor:
    return torch.empty_like(head, memory_format=torch.contiguous_format)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _Fused.setup_context(ctx, inputs, output)


fused.register_autograd(_backward, setup_context=_keep)
