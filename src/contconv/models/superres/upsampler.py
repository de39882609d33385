"""Upsampler: the continuous convolution from the features to the output grid."""

import torch
from torch import Tensor

from contconv._grid.grid import AxisGrid, resized_axes
from contconv._grid.ratio import Ratio
from contconv._runtime.autograd import is_transformed
from contconv._runtime.shapes import Float
from contconv.engines import Problem
from contconv.engines.linear import product
from contconv.engines.native import engine as native
from contconv.engines.native.library import missing
from contconv.engines.native.windows import LibraryWindows
from contconv.engines.separable.windows import WindowedConvolution
from contconv.engines.weights import axis_weights
from contconv.functional.conv import continuous_conv
from contconv.kernels import SeparableKernel

# Where it learns without the engine in C++, patches up to this side are resampled by
# whole matrices.
_SMALL = 64


def landed(
    features: Float[Tensor, "n c h w"],
    kernel: SeparableKernel,
    bias: Float[Tensor, " o"],
    ratios: tuple[Ratio, ...],
    size: tuple[int, ...],
    *,
    learns: bool,
) -> Float[Tensor, "n o height width"]:
    """The features at a scale and a size; outside of them are zeros.

    While the network learns, the fastest engine will do: that in C++ takes a quarter of
    the time of others. Where it is missing, and patches are small, three products of
    matrices are nearly twice as fast as an engine's many: they multiply by more zeros,
    but copy less. Elsewhere it is always that of `windowed`, so that tiles are what the
    whole is.
    """
    axes = resized_axes(features.shape[2:], kernel.kernel_size, ratios, size)
    grid = AxisGrid(axes, "zeros")
    if learns and missing() is not None and max(features.shape[2:]) <= _SMALL:
        return _by_matrices(features, kernel, grid) + bias[:, None, None]
    problem = Problem(features, kernel, grid, 1)
    if not learns and suits_library(problem):
        return LibraryWindows(problem).whole(features) + bias[:, None, None]
    return continuous_conv(
        features,
        kernel,
        scale=ratios,  # type: ignore
        size=size,
        bias=bias,
        engine="auto" if learns else "separable",
    )


def suits_library(problem: Problem) -> bool:
    """Whether the library computes it: with the same bits in a tile and the whole."""
    return (
        problem.image.dtype == torch.float32
        and not is_transformed()
        and not native.unsupported(problem)
    )


def windowed(problem: Problem) -> LibraryWindows | WindowedConvolution:
    """The convolution, window by window."""
    make = LibraryWindows if suits_library(problem) else WindowedConvolution
    return make(problem)


def _by_matrices(features: Tensor, kernel: SeparableKernel, grid: AxisGrid) -> Tensor:
    """The head first, then the last axis, then the first."""
    options = (grid, features.dtype, features.device)
    y, x = (
        axis_weights(kernel, i, *options).dense(in_size)
        for i, in_size in enumerate(grid.in_shape)
    )
    n, _, height, width = features.shape
    (rows, _, b_y), (columns, _, b_x) = y.shape, x.shape
    outputs = kernel.head.shape[0]
    head = kernel.head.unflatten(2, (b_y, b_x)).permute(2, 0, 3, 1).flatten(0, 2)
    mixed = product(features.permute(0, 2, 3, 1).flatten(0, 2), head)
    mixed = mixed.view(n, height, width, b_y, outputs, b_x)
    # n, height, b_y, outputs, and the inputs of the last axis
    mixed = mixed.permute(0, 1, 3, 4, 5, 2).reshape(-1, b_x * width)
    wide = product(mixed, x.movedim(2, 1).flatten(1))
    wide = wide.view(n, height, b_y, outputs, columns)
    # n, columns, outputs, and the inputs of the first axis
    wide = wide.permute(0, 4, 3, 2, 1).reshape(-1, b_y * height)
    tall = product(wide, y.movedim(2, 1).flatten(1))
    return tall.view(n, columns, outputs, rows).permute(0, 2, 3, 1)
