"""One axis resampled, band by band."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from contconv._runtime.autograd import is_batched
from contconv._runtime.shapes import Float
from contconv.engines.separable.bands import Band
from contconv.engines.weights import AxisWeights

# How an axis is resampled: by bands, or plainly.
Along = AxisWeights | list[Band]


class Block(NamedTuple):
    """A band as a matrix from input rows to output rows."""

    outputs: slice
    inputs: slice | Tensor
    matrix: Float[Tensor, "out in_rank"]


def rank_of(along: Along) -> int:
    """How many basis functions the axis has."""
    weights = along.values if isinstance(along, AxisWeights) else along[0].values
    return weights.shape[2]


def function_of(along: Along, r: int) -> Along:
    """One function of the basis alone."""
    if isinstance(along, AxisWeights):
        return along._replace(values=along.values[:, :, r : r + 1])
    return [band._replace(values=band.values[:, :, r : r + 1]) for band in along]


def resample_bands(
    data: Tensor, bands: list[Band], spend: bool, columns: bool
) -> Tensor:
    """The axis resampled by bands."""
    blocks = _blocks(bands, spend)
    matrices = [block.matrix for block in blocks]
    return _Resample.apply(data, blocks, columns, *matrices)  # type: ignore


def adjoint(
    gradient: Tensor, bands: list[Band], inputs: int, spend: bool, columns: bool
) -> Float[Tensor, "m inputs rank inner"]:
    """The gradient of `resample_bands` to its data."""
    gradient = gradient.transpose(1, 2) if columns else gradient
    rank = bands[0].values.shape[2] if spend else 1
    shape = (gradient.shape[0], inputs, rank, gradient.shape[2])
    return _spread(gradient, _blocks(bands, spend), shape)


def _blocks(bands: list[Band], spend: bool) -> list[Block]:
    return _spending(bands) if spend else _gaining(bands)


def resample_taps(
    data: Tensor, along: AxisWeights, spend: bool, columns: bool
) -> Tensor:
    source, weights = along
    near = data.index_select(1, source.flatten()).unflatten(1, source.shape)
    if spend:
        out = torch.einsum("motri,otr->moi", near, weights)
    else:
        out = torch.einsum("motri,ots->mosri", near, weights).flatten(1, 3)
    return out.transpose(1, 2).contiguous() if columns else out


def adjoint_taps(
    gradient: Tensor, along: AxisWeights, inputs: int, spend: bool, columns: bool
) -> Float[Tensor, "m inputs rank inner"]:
    """The gradient of `resample_taps` to its data."""
    gradient = gradient.transpose(1, 2) if columns else gradient
    source, weights = along
    if spend:
        near = torch.einsum("moi,otr->motri", gradient, weights)
    else:
        rows = gradient.unflatten(1, (len(source), weights.shape[2]))
        near = torch.einsum("mosi,ots->moti", rows, weights).unsqueeze(3)
    near = near.flatten(1, 2)
    grad = near.new_zeros(near.shape[0], inputs, *near.shape[2:])
    return grad.index_add(1, source.flatten(), near)


def _gaining(bands: list[Band]) -> list[Block]:
    """Blocks that gain the basis: for each output, one row for each function."""
    rank = bands[0].values.shape[2]
    return [
        Block(
            slice(band.outputs.start * rank, band.outputs.stop * rank),
            band.inputs,
            band.values.transpose(1, 2).flatten(0, 1),
        )
        for band in bands
    ]


def _spending(bands: list[Band]) -> list[Block]:
    """Blocks that spend the basis: for each input, one column for each function."""
    return [Block(band.outputs, band.inputs, band.values.flatten(1)) for band in bands]


class _Resample(torch.autograd.Function):
    @staticmethod
    def forward(
        data: Tensor, blocks: list[Block], columns: bool, *matrices: Tensor
    ) -> Tensor:
        parts = [torch.matmul(block.matrix, _near(data, block)) for block in blocks]
        out = torch.cat(parts, 1)
        return out.transpose(1, 2).contiguous() if columns else out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        data, ctx.blocks, ctx.columns, *matrices = inputs
        ctx.shape = data.shape
        learned = any(matrix.requires_grad for matrix in matrices)
        ctx.save_for_backward(data if learned else None, *matrices)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        gradient, (data, *matrices) = gradients[0], ctx.saved_tensors
        gradient = gradient.transpose(1, 2) if ctx.columns else gradient
        blocks = [
            block._replace(matrix=matrix)
            for block, matrix in zip(ctx.blocks, matrices, strict=True)
        ]
        grad_data = None
        if ctx.needs_input_grad[0]:
            grad_data = _spread(gradient, blocks, ctx.shape)
        grad_matrices = [None] * len(blocks)
        if data is not None:
            grad_matrices = [_matrix_gradient(gradient, data, b) for b in blocks]
        return grad_data, None, None, *grad_matrices


def _spread(gradient: Tensor, blocks: list[Block], shape: tuple[int, ...]) -> Tensor:
    """The adjoint of `resample`."""
    m, inputs, rank, inner = shape
    is_apart = torch.is_grad_enabled() or is_batched(gradient)
    grad = gradient.new_zeros(m, inputs, rank * inner)
    for block in blocks:
        part = _outputs(gradient, block)
        near = torch.matmul(block.matrix.T, part)
        near = near.view(m, near.shape[1] // rank, rank * inner)
        if is_apart or isinstance(block.inputs, Tensor):
            grad = grad.index_add(1, _numbers(block, gradient), near)
        else:
            grad[:, block.inputs] += near
    return grad.view(shape)


def _numbers(block: Block, like: Tensor) -> Tensor:
    if isinstance(block.inputs, Tensor):
        return block.inputs
    return torch.arange(block.inputs.start, block.inputs.stop, device=like.device)


def _matrix_gradient(gradient: Tensor, data: Tensor, block: Block) -> Tensor:
    part, near = _outputs(gradient, block), _near(data, block)
    return part.transpose(0, 1).flatten(1) @ near.transpose(0, 1).flatten(1).T


def _outputs(gradient: Tensor, block: Block) -> Tensor:
    # Not sliced: of a slice of everything, ``is_grads_batched`` knows no rule.
    start, stop = block.outputs.start, block.outputs.stop
    return gradient.narrow(1, start, stop - start)


def _near(data: Tensor, block: Block) -> Float[Tensor, "m in_rank inner"]:
    return _window(data, block).flatten(1, 2)


def _window(data: Tensor, block: Block) -> Tensor:
    if isinstance(block.inputs, Tensor):
        return data.index_select(1, block.inputs)
    return data[:, block.inputs]
