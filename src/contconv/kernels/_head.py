"""The head of a learned kernel, and how it is initialised."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from contconv._scale import as_whole
from contconv.kernels._base import ContinuousKernel

# What nn.Conv2d does by default: kaiming_uniform with a = sqrt(5).
DEFAULT_GAIN = 1 / math.sqrt(3)

# Sub-pixel positions per pixel and axis at which the basis is examined, by dimensions.
_SAMPLES = {1: 64, 2: 8, 3: 3}

# Directions in which the basis varies less than this (relative, squared) start at zero:
# they would need weights so large that the first steps of training diverge.
_NEGLIGIBLE = 1e-4


def new_head(
    in_channels: int,
    out_channels: int,
    groups: int,
    rank: int,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> nn.Parameter:
    """An uninitialised head for the given channels."""
    check_channels(in_channels, out_channels, groups)
    shape = (out_channels, in_channels // groups, rank)
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
def initialise_head(kernel: ContinuousKernel, gain: float) -> None:
    r"""Draw a head that responds to an image as random filters of ``nn.Conv2d`` do.

    The weights of a continuous kernel at neighboring pixels are correlated, so it is
    not their variance that has to fit but the mean square of the response:
    ``gain ** 2`` times that of the input, for white noise and for a constant image
    alike. With whitened basis functions, :math:`K` pixels in the support and :math:`C`
    channels,

    .. math:: \sigma_0^2 = \frac{g^2}{C K^2}, \qquad
        \sigma_1^2 = \frac{g^2}{C K^2} \, \frac{K - 1}{R - 1}

    are the variances of the head along the constant function and along each of the
    other :math:`R - 1` directions.

    Args:
        kernel: The kernel, with ``head`` allocated and a basis that can be evaluated.
        gain: Output over input, as root mean square; the default of the kernels is that
            of ``nn.Conv2d``. The square root of 2 keeps the scale of the activations
            through layers with ReLU, 1 through layers without.
    """
    head = kernel.head
    if head.is_meta:
        return
    basis = kernel.basis(support_points(kernel).to(head.device))
    whitener, constant = whiten(basis)
    fan_in, pixels = head.shape[1], math.prod(kernel.kernel_size)
    base = gain / (math.sqrt(fan_in) * pixels)
    others = whitener.shape[1] - 1
    drawn = torch.empty(
        (*head.shape[:2], others + 1), dtype=basis.dtype, device=head.device
    ).normal_()
    along = (drawn @ constant)[..., None] * constant
    across = (drawn - along) * math.sqrt((pixels - 1) / max(others, 1))
    if not others:
        along = along * math.sqrt(pixels)
    head.copy_(base * (along + across) @ whitener.T)


def support_points(kernel: ContinuousKernel) -> Tensor:
    """Distances that cover the support evenly, in float64: ``[points, ndim]``."""
    steps = _SAMPLES[kernel.ndim]
    per_axis = [
        (torch.arange(steps * width, dtype=torch.float64) + 0.5) / steps - width / 2
        for width in kernel.kernel_size
    ]
    return torch.cartesian_prod(*per_axis).view(-1, kernel.ndim)


def whiten(basis: Tensor) -> tuple[Tensor, Tensor]:
    """Combinations of basis functions with mean product I, and the constant among them.

    Returns ``whitener [rank, directions]``, with ``basis @ whitener`` orthonormal over
    the support, and the unit vector ``constant [directions]``, the direction that is
    closest to the constant function.
    """
    values, vectors = torch.linalg.eigh(basis.T @ basis / len(basis))
    kept = values > _NEGLIGIBLE * values[-1]
    whitener = vectors[:, kept] / values[kept].sqrt()
    constant = (basis @ whitener).mean(0)
    return whitener, nn.functional.normalize(constant, dim=0)
