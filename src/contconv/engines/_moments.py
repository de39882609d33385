"""The factored product in chunks that stay in the cache, forward and backward.

    moments[n, p, c, r] = sum_k  basis[p, k, r] image[n, c, source[p, k]]
    out[n, o, p]        = sum_cr head[o, c, r] moments[n, p, c, r]

No moments are kept: the backward pass computes them again, chunk by chunk.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from contconv._transforms import is_transformed
from contconv._types import Float, Int

# Numbers in the moments of a chunk: 512 KiB in float32, a quarter of an L2 cache.
_CHUNK = 2**17

# Channels of several images that are gathered together: rows of up to 2 KiB.
_ROW = 512


def moments_then_head(
    image: Float[Tensor, "n c pixels"],
    source: Int[Tensor, "p k"],
    basis: Float[Tensor, "p k r"],
    head: Float[Tensor, "g o c_per_group r"],
) -> Float[Tensor, "n out p"]:
    """The product, by the chunked function where autograd alone looks on."""
    if is_transformed():
        return _at_once(image, source, basis, head)
    return _Chunked.apply(image, source, basis, head).transpose(1, 2)  # type: ignore


def _at_once(image: Tensor, source: Tensor, basis: Tensor, head: Tensor) -> Tensor:
    near = image.index_select(2, source.flatten()).unflatten(2, source.shape)
    near = near.unflatten(1, (head.shape[0], -1))
    moments = torch.einsum("ngcpk,pkr->pngcr", near, basis)
    return torch.einsum("pngcr,gocr->ngop", moments, head).flatten(1, 2)


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(image: Tensor, source: Tensor, basis: Tensor, head: Tensor) -> Tensor:
        groups, out_channels = head.shape[:2]
        mix = _as_matrices(head)
        shape = (image.shape[0], len(source), groups * out_channels)
        out = image.new_empty(shape)
        for images, pixels in _batches(image):
            for part in _parts(len(source), basis.shape[2] * pixels.shape[1]):
                moments = _moments(_near(pixels, source[part]), basis[part])
                rows = _rows(moments, images.stop - images.start, groups)
                mixed = torch.bmm(rows, mix).unflatten(1, (-1, moments.shape[0]))
                out[images, part] = mixed.permute(1, 2, 0, 3).flatten(2)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient = gradients[0].transpose(1, 2)
        image, source, basis, head = ctx.saved_tensors
        wanted = [ctx.needs_input_grad[i] for i in (0, 2, 3)]
        if torch.is_grad_enabled():
            found = _by_autograd(gradient, (image, basis, head), source, wanted)
        else:
            found = _in_chunks(gradient, image, source, basis, head, wanted)
        return found[0], None, found[1], found[2]

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        # Linear in each of the three.
        terms = []
        for i, tangent in enumerate(tangents):
            if tangent is not None:
                inputs = list(ctx.saved_tensors)
                inputs[i] = tangent
                image, source, basis, head = inputs
                terms.append(_at_once(image, source, basis, head))
        return torch.stack(terms).sum(0).transpose(1, 2).contiguous()


def _by_autograd(
    gradient: Tensor, inputs: tuple[Tensor, ...], source: Tensor, wanted: list[bool]
) -> list[Tensor | None]:
    """The gradients as functions that can be differentiated again."""
    image, basis, head = inputs
    out = _at_once(image, source, basis, head)
    leaves = [value for value, want in zip(inputs, wanted, strict=True) if want]
    found = iter(torch.autograd.grad(out, leaves, gradient, create_graph=True))
    return [next(found) if want else None for want in wanted]


def _in_chunks(
    gradient: Tensor,
    image: Tensor,
    source: Tensor,
    basis: Tensor,
    head: Tensor,
    wanted: list[bool],
) -> list[Tensor | None]:
    groups, mix = head.shape[0], _as_matrices(head)
    grad_image = torch.empty_like(image) if wanted[0] else None
    grad_basis = torch.zeros_like(basis) if wanted[1] else None
    grad_mix = torch.zeros_like(mix) if wanted[2] else None
    for images, pixels in _batches(image):
        count = images.stop - images.start
        grad_pixels = torch.zeros_like(pixels) if wanted[0] else None
        for part in _parts(len(source), basis.shape[2] * pixels.shape[1]):
            near = _near(pixels, source[part])
            grad_out = gradient[images, :, part].unflatten(1, (groups, -1))
            grad_out = grad_out.permute(1, 0, 3, 2).flatten(1, 2)
            if grad_mix is not None:
                rows = _rows(_moments(near, basis[part]), count, groups)
                grad_mix += torch.bmm(rows.transpose(1, 2), grad_out)
            if grad_basis is None and grad_pixels is None:
                continue
            grad_rows = torch.bmm(grad_out, mix.transpose(1, 2))
            grad_moments = _moments_of(grad_rows, count, basis.shape[2])
            if grad_basis is not None:
                grad_basis[part] += torch.bmm(near, grad_moments.transpose(1, 2))
            if grad_pixels is not None:
                spread = torch.bmm(basis[part], grad_moments).flatten(0, 1)
                grad_pixels.index_add_(0, source[part].flatten(), spread)
        if grad_image is not None and grad_pixels is not None:
            grad_image[images] = grad_pixels.unflatten(1, (count, -1)).permute(1, 2, 0)
    grad_head = None
    if grad_mix is not None:
        grad_head = grad_mix.unflatten(1, (head.shape[3], -1)).permute(0, 3, 2, 1)
    return [grad_image, grad_basis, grad_head]


def _batches(image: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Some images at a time, as rows ``[pixels, images * channels]``."""
    n, channels, _ = image.shape
    step = max(1, _ROW // channels)
    for start in range(0, n, step):
        images = slice(start, min(n, start + step))
        # Contiguous: gathering the strided rows of a view is 20 times slower.
        yield images, image[images].permute(2, 0, 1).contiguous().flatten(1)


def _parts(count: int, size: int) -> Iterator[slice]:
    """Output pixels in chunks, of which each has ``size`` numbers as moments."""
    step = max(16, _CHUNK // max(size, 1))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


def _near(pixels: Tensor, source: Tensor) -> Tensor:
    """The neighbors' rows ``[p, k, images * channels]``."""
    return pixels.index_select(0, source.flatten()).unflatten(0, source.shape)


def _moments(near: Tensor, basis: Tensor) -> Tensor:
    """``[p, r, images * channels]``."""
    return torch.bmm(basis.transpose(1, 2), near)


def _as_matrices(head: Tensor) -> Tensor:
    """``[g, r * c, o]``: what rows of moments are multiplied by."""
    return head.permute(0, 3, 2, 1).flatten(1, 2).contiguous()


def _rows(moments: Tensor, images: int, groups: int) -> Tensor:
    """Moments ``[p, r, n * g * c]`` as ``[g, n * p, r * c]``."""
    split = moments.unflatten(2, (images, groups, -1))
    return split.permute(3, 2, 0, 1, 4).flatten(3).flatten(1, 2)


def _moments_of(rows: Tensor, images: int, rank: int) -> Tensor:
    """Rows ``[g, n * p, r * c]`` as moments ``[p, r, n * g * c]``."""
    split = rows.unflatten(2, (rank, -1)).unflatten(1, (images, -1))
    return split.permute(2, 3, 1, 0, 4).flatten(2)
