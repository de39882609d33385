"""Upsampler: the continuous convolution from the features to the output grid."""

import torch
from torch import Tensor

from contconv._grid.grid import AxisGrid, resized_axes
from contconv._grid.ratio import Ratio
from contconv._runtime.autograd import is_transformed
from contconv._runtime.shapes import Float
from contconv.engines import Problem
from contconv.engines.native import engine as native
from contconv.engines.native.windows import LibraryWindows
from contconv.engines.separable.windows import WindowedConvolution
from contconv.functional.conv import continuous_conv
from contconv.kernels import SeparableKernel


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

    While the network learns, the fastest engine will do; else it is that of `windowed`,
    so that tiles are what the whole is.
    """
    axes = resized_axes(features.shape[2:], kernel.kernel_size, ratios, size)
    problem = Problem(features, kernel, AxisGrid(axes, "zeros"), 1)
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
