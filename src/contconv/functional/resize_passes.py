"""The axes of an image resampled, one pass each: by blocks of a matrix, or by taps."""

from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.padding import source_index
from contconv._runtime.autocast import no_autocast
from contconv._runtime.autograd import is_batched, is_transformed
from contconv._runtime.cache import cached
from contconv._runtime.shapes import Float, Num
from contconv.engines.weights import NormalizedWeights, padded
from contconv.functional.resize_taps import MANY_LINES, Repeating, by_periods, by_taps
from contconv.functional.rounding import rounded, whole_weights

# Of a block and the numbers that it reads.
Product: TypeAlias = Callable[[Tensor, Tensor], Tensor]

# Pixels of at most so many numbers are put side by side, into a larger matrix.
_MAX_SUMMED_TAPS = 4

# Most numbers in what a product reads: it stays in the cache.
_CACHE_ELEMENTS = 2**18


class Block(NamedTuple):
    """What some consecutive outputs take from which inputs."""

    outputs: slice
    inputs: slice | Tensor
    matrix: Float[Tensor, "out inputs"]


class Matrix(NamedTuple):
    """All blocks of an axis, times a whole number."""

    blocks: list[Block]
    over: int


def by_blocks(
    image: Num[Tensor, "*in_shape"], dim: int, weights: NormalizedWeights
) -> Num[Tensor, "*out_shape"]:
    """Resample an axis of an image on the CPU; 8-bit images are rounded."""
    before, after = image.shape[:dim], image.shape[dim + 1 :]
    in_size, out_size, inner = image.shape[dim], weights.axis.out_size, after.numel()
    wide = inner if inner <= _MAX_SUMMED_TAPS else 1
    data = image.reshape(before.numel(), in_size * wide, inner // wide)
    whole = image.dtype == torch.uint8 and not is_inexact()
    matrix = _matrix(weights, wide, whole)
    out: Tensor = _ByBlocks.apply(data, matrix, out_size * wide, False)  # type: ignore
    return out.view(*before, out_size, *after)


def is_inexact() -> bool:
    """Whether products of float32 matrices may be less precise than float32."""
    matmul = torch.backends.mkldnn.matmul  # type: ignore
    return not is_transformed() and matmul.fp32_precision not in ("none", "ieee")


def _matrix(weights: NormalizedWeights, wide: int, whole: bool) -> Matrix:
    size, axis = _block_size(weights.axis), weights.axis
    width = size * axis.down // axis.up + axis.taps  # about
    make = partial(_new_matrix, weights, wide, whole)
    numbers = axis.out_size * width * wide**2
    return cached(weights.key, ("matrix", wide, whole), make, numbers)


def _new_matrix(weights: NormalizedWeights, wide: int, whole: bool) -> Matrix:
    source, values = padded(weights)
    values, over = whole_weights(values) if whole else (values, 1)
    wraps = weights.padding_mode == "circular"  # to pixels that lie far from the others
    place, size = weights.pixel if wraps else source, _block_size(weights.axis)
    row = torch.arange(-(-len(place) // size) * size, device=place.device)
    by_block = place[row.clamp(max=len(place) - 1)].view(-1, size * place.shape[1])
    low, high = by_block.amin(1), by_block.amax(1) + 1
    index = place - low.repeat_interleave(size)[: len(place), None]
    matrix = values.new_zeros(len(place), int((high - low).max()))
    parts = matrix.scatter_add(1, index, values).split(size)
    blocks, begin = [], 0
    for start, stop, part in zip(low.tolist(), high.tolist(), parts, strict=True):
        outputs, inputs = slice(begin, begin + len(part)), slice(start, stop)
        if start < 0 or stop > weights.axis.in_size:
            pixel = torch.arange(start, stop, device=place.device)
            inputs = source_index(pixel, weights.axis.in_size, weights.padding_mode)
        block = Block(outputs, inputs, part[:, : stop - start])
        blocks.append(_widened(block, wide))
        begin += len(part)
    return Matrix(blocks, over)


def _block_size(axis: Axis) -> int:
    """Outputs in a block. Fewer waste less on zeros, more make larger products."""
    return 16 * max(1, min(4, axis.up // axis.down))


def _widened(block: Block, wide: int) -> Block:
    """The block for pixels of ``wide`` numbers, which are resampled alike."""
    outputs, inputs, matrix = block
    if wide == 1:
        return block
    if isinstance(inputs, Tensor):
        number = torch.arange(wide, device=inputs.device)
        inputs = (inputs[:, None] * wide + number).flatten()
    else:
        inputs = slice(inputs.start * wide, inputs.stop * wide)
    outputs = slice(outputs.start * wide, outputs.stop * wide)
    one = torch.eye(wide, dtype=matrix.dtype, device=matrix.device)
    return Block(outputs, inputs, torch.kron(matrix, one))


class _ByBlocks(torch.autograd.Function):
    """The product with a matrix along the second axis, or with its transpose."""

    generate_vmap_rule = True

    @staticmethod
    def forward(data: Tensor, matrix: Matrix, size: int, transpose: bool) -> Tensor:
        new = data.new_zeros if transpose else data.new_empty
        out = new(len(data), size, data.shape[2])
        finite = not is_batched(data) and _is_finite(data)
        times = _product if finite else _exact_product
        largest = max(max(block.matrix.shape) for block in matrix.blocks)
        some = max(1, _CACHE_ELEMENTS // max(1, largest * data.shape[2]))
        work = _add_transposed if transpose else _write
        with no_autocast(data.device.type):
            for part, into in zip(data.split(some), out.split(some), strict=True):
                if data.shape[2] == 1:
                    part, into = part[..., 0], into[..., 0]
                work(part, matrix, into, times)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        data, ctx.matrix, _, ctx.transpose = inputs
        ctx.size = data.shape[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        grad = _ByBlocks.apply(gradients[0], ctx.matrix, ctx.size, not ctx.transpose)
        return grad, None, None, None


def _write(data: Tensor, matrix: Matrix, into: Tensor, times: Product) -> None:
    for outputs, inputs, block in matrix.blocks:
        values = times(block, _part(data, inputs).to(block.dtype))
        if data.dtype == torch.uint8:
            values = rounded(values, matrix.over)
        _part(into, outputs).copy_(values)


def _add_transposed(data: Tensor, matrix: Matrix, into: Tensor, times: Product) -> None:
    for outputs, inputs, block in matrix.blocks:
        values = times(block.T, _part(data, outputs).to(block.dtype)).to(into.dtype)
        if isinstance(inputs, Tensor):
            into.index_add_(1, inputs, values)
        else:
            _part(into, inputs).add_(values)


def _part(data: Tensor, where: slice | Tensor) -> Tensor:
    """Some of the second axis, by operations that batched gradients can follow."""
    if isinstance(where, Tensor):
        return data.index_select(1, where)
    return data.narrow(1, where.start, where.stop - where.start)


def _product(
    block: Float[Tensor, "out inputs"], data: Float[Tensor, "m inputs *inner"]
) -> Float[Tensor, "m out *inner"]:
    """The product along the second axis of ``data``."""
    if data.ndim == 2:
        return torch.mm(data, block.T)
    return torch.bmm(block.expand(len(data), -1, -1), data)


def _exact_product(
    block: Float[Tensor, "out inputs"], data: Float[Tensor, "m inputs *inner"]
) -> Float[Tensor, "m out *inner"]:
    """The same of numbers that are not all finite: a weight of 0 reads none of them."""
    out = _product(block, torch.where(data.isfinite(), data, 0.0))
    up, down = (data == sign * torch.inf for sign in (1, -1))
    above, below, unknown = (
        _product(weight.to(data.dtype), number.to(data.dtype)) > 0
        for weight, number in (
            (torch.cat([block > 0, block < 0], 1), torch.cat([up, down], 1)),
            (torch.cat([block > 0, block < 0], 1), torch.cat([down, up], 1)),
            (block != 0, data.isnan()),
        )
    )
    out = torch.where(above, torch.inf, torch.where(below, -torch.inf, out))
    return torch.where(unknown | (above & below), torch.nan, out)


class Pass(NamedTuple):
    """A dimension of an image, and the weights to resample it with."""

    dim: int
    weights: NormalizedWeights | Repeating


def pass_order(axes: tuple[Axis, ...], dtype: torch.dtype) -> list[int]:
    """First the axis that shrinks most; of two that grow alike, the last one.

    MATLAB takes the first one of two alike, and rounds in between.
    """
    exact = dtype != torch.uint8
    if exact and torch.compiler.is_compiling():
        return list(range(len(axes)))  # one graph for all sizes
    order: list[int] = []
    for i, axis in enumerate(axes):
        # By insertion, as sizes may be symbols.
        place = 0
        while place < len(order) and not _is_before(axis, axes[order[place]], exact):
            place += 1
        order.insert(place, i)
    return order


def _is_before(axis: Axis, earlier: Axis, exact: bool) -> bool:
    """Whether to resample this axis before one that comes earlier."""
    own, other = axis.up * earlier.down, earlier.up * axis.down
    return own < other or (exact and own == other and axis.up > axis.down)


def resampled(
    image: Num[Tensor, "*in_shape"], passes: Sequence[Pass]
) -> Num[Tensor, "*out_shape"]:
    """The image after all passes; 8-bit images are rounded after each."""
    out = image
    for dim, weights in passes:
        if isinstance(weights, Repeating):
            out = by_periods(out, dim, weights)
        elif _suits(image, dim, weights):
            out = by_blocks(out, dim, weights)
        else:
            out = by_taps(out, dim, weights)
    return out


def _suits(image: Tensor, dim: int, weights: NormalizedWeights) -> bool:
    return suits_blocks(image, dim) and not _is_learned(weights.values)


def suits_blocks(image: Tensor, dim: int) -> bool:
    """Whether an image can be resampled by blocks, and faster than by taps."""
    return (
        not is_transformed()
        and image.device.type == "cpu"
        and type(image) in (Tensor, torch.nn.Parameter)
        and image.numel() >= MANY_LINES * image.shape[dim]
    )


def _is_learned(values: Tensor) -> bool:
    wanted = torch.is_grad_enabled() and values.requires_grad
    return wanted or type(values) is not Tensor


def _is_finite(image: Tensor) -> bool:
    return image.dtype == torch.uint8 or isfinite(image.detach().sum().item())
