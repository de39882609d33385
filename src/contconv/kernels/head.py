"""The head of a learned kernel, and how it is initialised."""

import math
from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from contconv._runtime.arguments import as_whole
from contconv._runtime.memory import check_parameters
from contconv._runtime.numberless import has_numbers
from contconv._runtime.text import times
from contconv.kernels.base import ContinuousKernel, SeparableKernel, is_separable
from contconv.kernels.orthonormal_cosines import cosines

# What nn.Conv2d does by default: kaiming_uniform with a = sqrt(5).
DEFAULT_GAIN = 1 / math.sqrt(3)

# Sub-pixel positions per pixel and axis at which the basis is examined, by dimensions.
_SAMPLES = {1: 32, 2: 8, 3: 4}

# Values of the basis that are examined at once, where it is no product of axes.
_MOST_FITTED = 2**25

# Directions in which the basis varies less than this (relative, squared) start at zero:
# they would need weights so large that the first steps of training diverge.
_NEGLIGIBLE = 1e-4

# How much of each frequency a new kernel has, by its width; 1 would be white noise at
# the pixels. Found by `experiments/spectra.py`: with these, the activations of a wide
# network in two dimensions grow or shrink at most by a factor of 2.1 (widths of 2: 3.5)
# through 20 layers that change the size by 8 in all; with white noise by 9.
SPECTRA = {
    2: (1.059, 0.380),
    3: (0.959, 0.764, 1.155),
    4: (0.994, 0.561, 1.574, 0.672),
    5: (0.957, 0.848, 0.955, 0.979, 1.159),
    6: (0.986, 0.672, 0.895, 0.989, 1.375, 1.060),
    7: (0.960, 0.904, 0.937, 1.003, 0.944, 1.059, 1.147),
}


def new_head(
    in_channels: Any,
    out_channels: Any,
    groups: Any,
    rank: int,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> nn.Parameter:
    """An uninitialised head for the given channels."""
    check_channels(in_channels, out_channels, groups)
    if dtype is not None and not dtype.is_floating_point:
        raise TypeError(f"dtype must be a floating-point type, got {dtype}")
    shape = (out_channels, in_channels // groups, rank)
    none = torch.empty(0, device=device, dtype=dtype)
    check_parameters(shape, none, "make the kernel smaller, or take fewer channels")
    return nn.Parameter(torch.empty(shape, device=device, dtype=dtype))


def check_channels(in_channels: Any, out_channels: Any, groups: Any) -> None:
    """Raise unless all are whole numbers, and the groups divide the channels."""
    as_whole(in_channels, "in_channels")
    as_whole(out_channels, "out_channels")
    as_whole(groups, "groups")
    if in_channels % groups or out_channels % groups:
        raise ValueError(
            f"groups must divide in_channels and out_channels, got groups={groups}, "
            f"in_channels={in_channels}, out_channels={out_channels}"
        )


@torch.no_grad()
def initialise_head(kernel: ContinuousKernel, gain: float = DEFAULT_GAIN) -> None:
    r"""Draw a head with which the kernel responds as filters of ``nn.Conv2d`` do.

    The weights of a continuous kernel at neighboring pixels are correlated, so it is
    not their variance that has to fit but the mean square of the response, which is
    ``gain ** 2`` times that of the input. The head is the least-squares fit of the
    basis to random functions on the support: for :math:`C` channels per group and each
    axis

    .. math:: K(d) = \frac{g}{\sqrt{C k}} \sum_{a=0}^{k-1} z_a \sqrt{w_a} \, c_a
        \cos(\pi a (d / k + 1/2))

    with normal :math:`z` and :math:`c_a^2 = (2 - \delta_{a0}) / k`. With all
    :math:`w_a = 1`, the weights at the pixels of a scale of 1 would be independent (for
    an odd width). But those at other scales are not: 20 layers at 1.04 would multiply
    the activations by 9, most at the frequencies between two cosines. The :math:`w_a`
    keep that growth small at every scale.

    Args:
        kernel: The kernel, with ``head`` allocated and a basis that can be evaluated.
        gain: Output over input, as root mean square; the default is that of
            ``nn.Conv2d``. The square root of 2 keeps the scale of the activations
            through layers with ReLU, 1 through layers without.
    """
    head = kernel.head
    if not has_numbers(head):
        return
    fits = []
    if is_separable(kernel):
        # Never as one matrix: 200 x 200 pixels would take 12 GiB.
        for axis, width in enumerate(kernel.kernel_size):
            check_fit(kernel, (width,), width)
            points = support_points((width,), head.device)
            _check_rank(kernel, points, axis)
            basis = kernel.axis_basis(points[:, 0], axis)
            fits.append(_fit(basis, _random_functions(points, (width,))))
    else:
        check_fit(kernel, kernel.kernel_size, prod(kernel.kernel_size))
        points = support_points(kernel.kernel_size, head.device)
        functions = _random_functions(points, kernel.kernel_size)
        fits.append(_fit(kernel.basis(points), functions))
    counts = [fit.shape[1] for fit in fits]
    drawn = torch.randn(
        (*head.shape[:2], prod(counts)), dtype=torch.float64, device=head.device
    )
    drawn = drawn.unflatten(2, counts)
    for axis, fit in enumerate(fits, 2):
        drawn = (drawn.movedim(axis, -1) @ fit.T).movedim(-1, axis)
    head.copy_(gain / math.sqrt(head.shape[1]) * drawn.flatten(2))


def check_fit(
    kernel: ContinuousKernel, pixels: tuple[int, ...], functions: int
) -> None:
    """Raise ValueError where a fit of so many functions takes too long.

    Args:
        kernel: What is fitted.
        pixels: The axes of its support over which they are fitted together.
        functions: How many at once.
    """
    if _SAMPLES[len(pixels)] ** len(pixels) * prod(pixels) * functions > _MOST_FITTED:
        raise ValueError(
            f"kernel_size {times(kernel.kernel_size)} is too large for "
            f"{type(kernel).__name__}: {functions} functions would take too long to "
            "fit; make it smaller, or take another kernel: CosineKernel may have 1000 "
            "pixels an axis, SplineKernel any number"
        )


def _check_rank(kernel: SeparableKernel, points: Tensor, axis: int) -> None:
    """Raise ValueError where an axis has too many functions to be fitted."""
    rank = kernel.axis_basis(points[:1, 0], axis).shape[-1]
    if rank * max(rank, len(points)) > _MOST_FITTED:
        raise ValueError(
            f"{type(kernel).__name__} has {rank} functions on axis {axis} of "
            f"kernel_size {times(kernel.kernel_size)}, which would take too long to "
            "fit; take fewer, such as one for each pixel"
        )


def _random_functions(points: Tensor, kernel_size: tuple[int, ...]) -> Tensor:
    """The functions of `initialise_head`, to be added with normal factors ``z``."""
    product = points.new_ones(len(points), 1)
    for axis, width in enumerate(kernel_size):
        spectrum = points.new_tensor(SPECTRA.get(width, (1.0,) * width))
        values = cosines(points[:, axis], width, width) * (spectrum / width).sqrt()
        product = (product[:, :, None] * values[:, None, :]).flatten(1)
    return product


def _fit(basis: Tensor, functions: Tensor) -> Tensor:
    """Coefficients of the basis closest to each function: ``[rank, functions]``."""
    values, vectors = torch.linalg.eigh(basis.T @ basis)
    kept = values > _NEGLIGIBLE * values[-1]
    vectors, values = vectors[:, kept], values[kept]
    fit = vectors @ (vectors.T @ basis.T @ functions / values[:, None])
    # What the basis cannot express is made up for by what it can.
    return fit * (functions.square().sum() / (basis @ fit).square().sum()).sqrt()


def support_points(
    kernel_size: tuple[int, ...], device: torch.device | str = "cpu"
) -> Tensor:
    """Distances that cover the support evenly, in float64: ``[points, ndim]``."""
    steps, double = _SAMPLES[len(kernel_size)], torch.float64
    per_axis = [
        (torch.arange(steps * n, dtype=double, device=device) + 0.5) / steps - n / 2
        for n in kernel_size
    ]
    return torch.cartesian_prod(*per_axis).view(-1, len(kernel_size))


def pixel_centres(kernel_size: Sequence[int], like: Tensor) -> Tensor:
    """The distances of a centred window's pixels: ``[pixels, ndim]``."""
    kind: dict[str, Any] = {"dtype": like.dtype, "device": like.device}
    per_axis = [torch.arange(n, **kind) - (n - 1) / 2 for n in kernel_size]
    return torch.cartesian_prod(*per_axis).view(-1, len(kernel_size))
