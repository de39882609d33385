"""The factored product, in chunks of output pixels that stay in the cache.

    moments[n, p, r, c] = sum_k  basis[p, r, k] pixels[n, source[p, k], c]
    out[n, o, p]        = sum_rc head[o, c, r] moments[n, p, r, c]

No moments are kept: the backward pass computes them again, chunk by chunk.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.autograd import differentiable_gradients, is_batched
from contconv._runtime.memory_format import transposed
from contconv.engines.linear import contract_head, contract_head_backward

# Numbers in the neighbors or the moments of a chunk: 2 MiB in float32.
_CHUNK_ELEMENTS = 2**19


def at_once(pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor) -> Tensor:
    near = pixels.index_select(1, source.flatten()).unflatten(1, source.shape)
    moments = torch.matmul(basis, near).unflatten(3, (head.shape[0], -1))
    return torch.einsum("nprgi,goir->ngop", moments, head).flatten(1, 2)


def forward(pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor) -> Tensor:
    """The product, chunk by chunk, without derivatives."""
    out = pixels.new_empty(len(pixels), len(source), head.shape[:2].numel())
    head = head.transpose(2, 3).contiguous().transpose(2, 3)  # as it is read
    for part in _parts(source, basis, pixels.shape[2]):
        for n, image in enumerate(pixels):
            moments = torch.bmm(basis[part], _near(image, source[part]))
            mixed = contract_head(moments.flatten(1), head)
            out[n, part] = mixed.view(len(moments), -1)
    return transposed(out)


class Chunked(torch.autograd.Function):
    """The product chunk by chunk, forward and backward."""

    @staticmethod
    def forward(pixels: Tensor, source: Tensor, basis: Tensor, head: Tensor) -> Tensor:
        return forward(pixels, source, basis, head)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        pixels, source, basis, head = ctx.saved_tensors
        wanted = [ctx.needs_input_grad[i] for i in (0, 2, 3)]
        if torch.is_grad_enabled() or is_batched(gradients[0]):
            with torch.enable_grad():
                out = at_once(*ctx.saved_tensors)
            inputs = (pixels, basis, head)
            found = differentiable_gradients(out, inputs, wanted, gradients[0])
        else:
            found = backward(gradients[0], pixels, source, basis, head, wanted)
        return found[0], None, found[1], found[2]


def backward(
    gradient: Tensor,
    pixels: Tensor,
    source: Tensor,
    basis: Tensor,
    head: Tensor,
    wanted: list[bool],
) -> list[Tensor | None]:
    """The gradients to pixels, basis and head, without derivatives."""
    grads = [
        torch.zeros_like(value) if want else None
        for value, want in zip((pixels, basis, head), wanted, strict=True)
    ]
    grad_pixels, grad_basis, grad_head = grads
    head = head.transpose(2, 3).contiguous().transpose(2, 3)
    for part in _parts(source, basis, pixels.shape[2]):
        for n, image in enumerate(pixels):
            near = _near(image, source[part])
            moments = torch.bmm(basis[part], near)
            grad_moments, grad_part = contract_head_backward(
                gradient[n, :, part].contiguous(), moments.flatten(1), head
            )
            grad_moments = grad_moments.view(moments.shape)
            if grad_head is not None:
                grad_head += grad_part
            if grad_basis is not None:
                grad_basis[part] += torch.bmm(grad_moments, near.transpose(1, 2))
            if grad_pixels is not None:
                spread = torch.bmm(basis[part].transpose(1, 2), grad_moments)
                index = source[part].flatten()
                grad_pixels[n].index_add_(0, index, spread.flatten(0, 1))
    return grads


def _parts(source: Tensor, basis: Tensor, channels: int) -> Iterator[slice]:
    """Output pixels in chunks."""
    step = _step(max(basis.shape[1:]) * channels)
    for start in range(0, len(source), step):
        yield slice(start, min(len(source), start + step))


def chunks(pixels: int, size: int) -> int:
    """Number of chunks of so many output pixels, each of ``size`` numbers."""
    return -(-pixels // _step(size))


def _step(size: int) -> int:
    return max(16, _CHUNK_ELEMENTS // max(size, 1))


def _near(image: Tensor, source: Tensor) -> Tensor:
    """The neighbors' rows ``[p, k, c]``."""
    return image.index_select(0, source.flatten()).unflatten(0, source.shape)
