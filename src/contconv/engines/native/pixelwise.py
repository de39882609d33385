"""Convolution with a table for each pixel, with its gradients.

First derivatives are the library's; graphs and batches of gradients go by PyTorch's
operators.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.autograd import (
    gradients_of,
    has_values,
    is_compiled,
    is_transformed,
)
from contconv._runtime.memory_format import empty_output
from contconv._runtime.shapes import Float
from contconv.engines.native.pixel_tables import (
    MOST_KEPT,
    PixelTables,
    pixel_tables,
    row_numbers,
)
from contconv.engines.problem import Problem


def apply_pixelwise(
    problem: Problem, image: Float[Tensor, "n c *in_shape"], head: Tensor
) -> Float[Tensor, "n o *out_shape"]:
    """The convolution of an image in float32 or bfloat16, with a head in float32."""
    if problem.kernel.is_shared and problem.grid.batch == 1 and len(image) > 1:
        # One filter for all: the images are so many channels, which fill vectors.
        turned, n = image.transpose(0, 1), len(image)
        channels = Problem(turned, problem.kernel, problem.grid, n)
        heads = head.expand(n, 1, -1).contiguous()
        return _applied(channels, turned, heads).transpose(0, 1)
    return _applied(problem, image, head)


def _applied(problem: Problem, image: Tensor, head: Tensor) -> Tensor:
    rows = problem.grid.out_shape[0]
    step = rows
    if not problem.learns and has_values(image):
        step = max(1, MOST_KEPT // max(1, row_numbers(problem)))
    if step >= rows:
        return pixelwise(image, head, pixel_tables(problem), problem.groups)
    outs = []
    for start in range(0, rows, step):
        tables = pixel_tables(problem, slice(start, min(rows, start + step)))
        near, tables = _window(image, tables)
        outs.append(pixelwise(near, head, tables, problem.groups))
    return torch.cat(outs, 2)


def _window(image: Tensor, tables: PixelTables) -> tuple[Tensor, PixelTables]:
    """The rows of the image, along its first axis, that are read."""
    sources = list(tables.sources)
    place = next(i for i in (0, 2, 4) if sources[i].numel())
    # Of points, the sources are those of all pixels together.
    row = image.shape[3:].numel() if place == 4 else 1
    known = sources[place]
    low = int(torch.where(known < 0, 2**31 - 1, known).min()) // row
    high = int(known.max()) // row
    if high < low:  # nothing counts
        low = high = 0
    sources[place] = torch.where(known < 0, -1, known - low * row)
    return image[:, :, low : high + 1], tables._replace(sources=tuple(sources))


def pixelwise(
    image: Float[Tensor, "n c *in_shape"],
    head: Float[Tensor, "o i rank"],
    tables: PixelTables,
    groups: int,
) -> Float[Tensor, "n o *out_shape"]:
    """The convolution; gradients flow to image, head and table."""
    given = (image, head, *tables.sources, tables.table, tables.shape, groups)
    learns = any(one.requires_grad for one in (image, head, tables.table))
    if is_compiled() or not (torch.is_grad_enabled() and learns):
        return torch.ops.contconv_native.pixelwise(*given)
    return _Pixelwise.apply(*given)  # type: ignore


class _Pixelwise(torch.autograd.Function):
    @staticmethod
    def forward(*given: Any) -> Tensor:
        return torch.ops.contconv_native.pixelwise(*given)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.shape, ctx.groups = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        wanted = _wanted(ctx)
        given = (*ctx.saved_tensors, ctx.shape, ctx.groups)
        if torch.is_grad_enabled() or is_transformed():
            found = _by_operators(gradients[0], *given, wanted)
        else:
            backward = torch.ops.contconv_native.pixelwise_backward
            found = backward(gradients[0], *given, *wanted)
        return _in_place(found, wanted)


def _wanted(ctx: Any) -> list[bool]:
    return [ctx.needs_input_grad[place] for place in (0, 1, 8)]


def _in_place(found: Any, wanted: list[bool]) -> tuple[Tensor | None, ...]:
    """One for each argument: there are none for the sources."""
    image, head, table = (
        one if want else None for one, want in zip(found, wanted, strict=True)
    )
    return image, head, *[None] * 6, table, None, None


def _by_operators(gradient: Tensor, *given: Any) -> list[Tensor | None]:
    """By PyTorch's operators: differentiable where gradients are."""
    image, head, *sources, table, shape, groups, wanted = given
    plain = partial(_plain, sources=sources, shape=shape, groups=groups)
    return gradients_of(plain, [image, head, table], wanted, gradient)


def _plain(
    image: Tensor,
    head: Tensor,
    table: Tensor,
    sources: list[Tensor],
    shape: tuple[int, ...],
    groups: int,
) -> Tensor:
    """The convolution in PyTorch's operators."""
    source, row = _flat(image, sources)
    flat = image.float().flatten(2)
    pixels, each = shape_numbers(shape), len(source) != shape_numbers(shape)
    values = torch.where(source[..., None] < 0, 0.0, table[row])
    index, values = (one.unflatten(0, (-1, pixels)) for one in (source, values))
    index = index.clamp(min=0)
    if each:
        index = index.flatten(1)[:, None].expand(-1, flat.shape[1], -1)
        near = flat.gather(2, index).unflatten(2, (pixels, -1))
    else:
        near = flat[:, :, index[0]]
    values = values.expand(len(flat), -1, -1, -1)
    moments = torch.einsum("ncpk,npkr->ncpr", near, values)
    moments = moments.unflatten(1, (groups, -1))
    mixed = torch.einsum("ngcpr,gocr->ngop", moments, head.unflatten(0, (groups, -1)))
    return mixed.flatten(1, 2).unflatten(2, shape).to(image.dtype)


def shape_numbers(shape: tuple[int, ...]) -> int:
    """Pixels of that shape."""
    return torch.Size(shape).numel()


def _flat(image: Tensor, sources: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The sources in the flattened image, and the row of the table of each output."""
    if not sources[2].numel() and image.ndim > 3:
        return sources[4].long(), torch.arange(len(sources[4]), device=image.device)
    source = torch.zeros(1, 1, dtype=torch.int64, device=image.device)
    row = torch.zeros(1, dtype=torch.int64, device=image.device)
    ndim = image.ndim - 2
    for i, size in enumerate(image.shape[2:]):
        own, phase = sources[2 * (3 - ndim + i) : 2 * (4 - ndim + i)]
        if not len(phase):
            phase = torch.arange(len(own), device=own.device)
        own = own.long()
        inside = (source >= 0)[:, None, :, None] & (own >= 0)[:, None, :]
        both = source[:, None, :, None] * size + own[:, None, :]
        source = torch.where(inside, both, -1).flatten(2).flatten(0, 1)
        row = (row[:, None] * (int(phase.max()) + 1) + phase).flatten()
    return source, row


@torch.library.custom_op("contconv::pixelwise_backward", mutates_args=())
def pixelwise_backward(
    gradient: Tensor,
    image: Tensor,
    head: Tensor,
    sources: list[Tensor],
    table: Tensor,
    shape: list[int],
    groups: int,
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients, for compiled graphs."""
    backward = torch.ops.contconv_native.pixelwise_backward
    return backward(gradient, image, head, *sources, table, shape, groups, *wanted)


@pixelwise_backward.register_fake
def _(
    gradient: Tensor,
    image: Tensor,
    head: Tensor,
    sources: list[Tensor],
    table: Tensor,
    shape: list[int],
    groups: int,
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    empty = head.new_empty(0)
    pairs = zip((image, head, table), wanted, strict=True)
    return tuple(torch.empty_like(one) if want else empty for one, want in pairs)  # type: ignore


def register_pixelwise() -> None:
    """Tell compilers of the library's operator."""

    @torch.library.register_fake("contconv_native::pixelwise")
    def _(image: Tensor, head: Tensor, *rest: Any) -> Tensor:
        return empty_output(image, (image.shape[0], head.shape[0], *rest[7]))

    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        image, head, *sources, table = ctx.saved_tensors
        wanted = _wanted(ctx)
        found = pixelwise_backward(
            *(gradient, image, head, sources, table, ctx.shape, ctx.groups, wanted)
        )
        return _in_place(found, wanted)

    name = "contconv_native::pixelwise"
    keep = _Pixelwise.setup_context
    torch.library.register_autograd(name, backward, setup_context=keep)
