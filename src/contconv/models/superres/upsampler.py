"""Upsampler: features and images on the output grid, by continuous convolutions."""

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
from contconv.kernels.names import classical_kernel


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


def enlarged(
    images: Float[Tensor, "n c h w"], ratios: tuple[Ratio, ...], size: tuple[int, ...]
) -> Float[Tensor, "n c height width"]:
    """Cubic resizing; as a continuous convolution, whose weights sum to one.

    One channel after the other: how several are computed depends on the size.
    """
    kernel = classical_kernel("cubic", 2)
    axes = resized_axes(images.shape[2:], kernel.kernel_size, ratios, size)
    problem = Problem(images[:, :1], kernel, AxisGrid(axes, "replicate"), 1)
    if suits_library(problem):
        windows = LibraryWindows(problem)
        each = [windows.whole(channel) for channel in images.split(1, 1)]
        return torch.cat(each, 1)
    each = [
        continuous_conv(
            channel,
            "cubic",
            scale=ratios,  # type: ignore
            size=size,
            padding_mode="replicate",
            engine="separable",
        )
        for channel in images.split(1, 1)
    ]
    return torch.cat(each, 1)


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
