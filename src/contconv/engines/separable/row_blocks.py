"""Separable convolution in blocks of rows, whose intermediate tensors stay in cache."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from contconv._runtime.autograd import differentiable_gradients, is_batched
from contconv._runtime.shapes import Float
from contconv.engines.separable.bands import Band

# Most numbers in a tensor that is passed from step to step: 4 MiB in float32.
BLOCK_ELEMENTS = 2**20


# A separable convolution of an image, by a head and the bands of each axis.
Run = Callable[[Tensor, Tensor, list[list[Band]]], Tensor]


class RowBlock(NamedTuple):
    """Some images and some bands of the first axis."""

    images: slice
    inputs: slice | Tensor
    bands: list[Band]  # their inputs and outputs count from where the piece begins
    outputs: slice


def pieces(images: int, rows: int, bands: list[Band], slab: int) -> list[RowBlock]:
    """Pieces that together make the output.

    ``slab`` is how many numbers one row of one image makes. Only a piece with all
    ``rows`` has several images.
    """
    groups = list(_groups(bands, max(1, BLOCK_ELEMENTS // max(1, slab))))
    count = max(1, BLOCK_ELEMENTS // max(1, slab * rows)) if len(groups) == 1 else 1
    return [
        RowBlock(
            slice(start, min(start + count, images)),
            *from_its_start(group),
            slice(group[0].outputs.start, group[-1].outputs.stop),
        )
        for start in range(0, images, count)
        for group in groups
    ]


def in_pieces(
    run: Run,
    image: Float[Tensor, "n c *in_shape"],
    head: Float[Tensor, "g o i *ranks"],
    bands: list[list[Band]],
    parts: list[RowBlock],
) -> Float[Tensor, "n mixed *out_shape"]:
    """What ``run`` makes of image, head and bands, piece by piece.

    The bands get no gradients.
    """
    return _InPieces.apply(run, image, head, bands, parts)  # type: ignore


class _InPieces(torch.autograd.Function):
    @staticmethod
    def forward(
        run: Run,
        image: Tensor,
        head: Tensor,
        bands: list[list[Band]],
        parts: list[RowBlock],
    ) -> Tensor:
        sizes = [axis[-1].outputs.stop for axis in bands]
        out = image.new_empty(len(image), head.shape[:2].numel(), *sizes)
        for part in parts:
            some = image[part.images, :, part.inputs]
            local = [part.bands, *bands[1:]]
            out[part.images, :, part.outputs] = run(some, head, local)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.run, image, head, *ctx.plan = inputs
        ctx.save_for_backward(image, head)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        image, head = ctx.saved_tensors
        bands, parts = ctx.plan
        wanted = ctx.needs_input_grad[1:3]
        if torch.is_grad_enabled() or is_batched(gradients[0]):
            with torch.enable_grad():
                out = ctx.run(image, head, bands)
            inputs = (image, head)
            both = differentiable_gradients(out, inputs, wanted, gradients[0])
        else:
            both = _backward(gradients[0], ctx.run, image, head, bands, parts, wanted)
        return None, *both, None, None


def _backward(
    gradient: Tensor,
    run: Run,
    image: Tensor,
    head: Tensor,
    bands: list[list[Band]],
    parts: list[RowBlock],
    wanted: tuple[bool, ...],
) -> list[Tensor | None]:
    """The gradients, each piece computed again."""
    grad_image = torch.zeros_like(image) if wanted[0] else None
    grad_head = torch.zeros_like(head) if wanted[1] else None
    for part in parts:
        some = image[part.images, :, part.inputs].detach().requires_grad_()
        leaf = head.detach().requires_grad_()
        with torch.enable_grad():
            out = run(some, leaf, [part.bands, *bands[1:]])
        upstream = gradient[part.images, :, part.outputs]
        grad_some, grad_leaf = torch.autograd.grad(out, (some, leaf), upstream)
        if grad_image is not None:
            grad_image[part.images, :, part.inputs] += grad_some
        if grad_head is not None:
            grad_head += grad_leaf
    return [grad_image, grad_head]


def _groups(bands: list[Band], most: int) -> Iterator[list[Band]]:
    """Consecutive bands that together reach over at most ``most`` inputs, or one."""
    group: list[Band] = []
    for band in bands:
        if group and not _joins(group[0], band, most):
            yield group
            group = []
        group.append(band)
    yield group


def _joins(first: Band, band: Band, most: int) -> bool:
    if isinstance(band.inputs, Tensor) or isinstance(first.inputs, Tensor):
        return False
    reach = band.inputs.stop - first.inputs.start
    # A window that wraps around may begin before those of earlier outputs.
    return band.inputs.start >= first.inputs.start and reach <= most


def from_its_start(group: list[Band]) -> tuple[slice | Tensor, list[Band]]:
    """The inputs of a group, and its bands as seen from there."""
    first = group[0]
    if isinstance(first.inputs, Tensor):
        inputs, outputs = slice(0, len(first.inputs)), _shift(first, first.outputs)
        return first.inputs, [first._replace(inputs=inputs, outputs=outputs)]
    start, stop = first.inputs.start, first.inputs.stop
    local = []
    for band in group:
        assert isinstance(band.inputs, slice)
        stop = max(stop, band.inputs.stop)
        moved = slice(band.inputs.start - start, band.inputs.stop - start)
        local.append(band._replace(inputs=moved, outputs=_shift(first, band.outputs)))
    return slice(start, stop), local


def _shift(first: Band, outputs: slice) -> slice:
    return slice(
        outputs.start - first.outputs.start, outputs.stop - first.outputs.start
    )
