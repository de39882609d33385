"""How the layers of an Internal-Net begin: creases, and a fit to cosines."""

import itertools
import math

import torch
from torch import Tensor, nn

from contconv.kernels.head import pixel_centres, support_points
from contconv.kernels.orthonormal_cosines import cosines

# How much the pixel centres count against the rest of the support in that fit.
_PIXEL_SHARE = 0.3

# Directions in which the hidden layers vary less than this (relative, squared) are left
# alone: they would need larger weights than they are worth.
_RCOND = 1e-6


def places(kernel_size: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Where the basis is examined, and the share of each place in a mean."""
    points = support_points(kernel_size, device)
    pixels = pixel_centres(kernel_size, points)
    shares = (
        points.new_full((len(points), 1), (1 - _PIXEL_SHARE) / len(points)),
        points.new_full((len(pixels), 1), _PIXEL_SHARE / len(pixels)),
    )
    return torch.cat([points, pixels]), torch.cat(shares)


def _normal(rows: int, like: Tensor) -> Tensor:
    """Normal numbers for a weight of so many rows, applied to ``like``."""
    shape = (rows, like.shape[-1])
    return torch.randn(shape, dtype=like.dtype, device=like.device)


def creases(points: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Creases through random points of the support, at any angle."""
    weight = nn.functional.normalize(_normal(rows, points), dim=1)
    through = torch.rand_like(weight) * 2 - 1
    return weight, -(weight * through).sum(1)


def centred_mixes(features: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Random mixes of zero mean and unit variance: half of each passes the ReLU."""
    weight = _normal(rows, features)
    mixed = features @ weight.T
    scale = mixed.std(0).clamp_min(1e-6)
    return weight / scale[:, None], -mixed.mean(0) / scale


def lowest_cosines(places: Tensor, kernel_size: tuple[int, ...], count: int) -> Tensor:
    """So many products of cosines, without the constant: ``[places, count]``."""
    times = 1
    while math.prod(times * width for width in kernel_size) <= count:
        times += 1
    # Those of `CosineKernel` first: no more frequencies on an axis than pixels.
    frequencies = sorted(
        itertools.product(*(range(times * width) for width in kernel_size)),
        key=lambda a: (max(n // k for n, k in zip(a, kernel_size, strict=True)), a),
    )
    chosen = torch.tensor(frequencies[1 : count + 1], device=places.device)
    product = places.new_ones(len(places), count)
    for axis, width in enumerate(kernel_size):
        values = cosines(places[:, axis], width, times * width) * math.sqrt(width)
        product = product * values[:, chosen[:, axis]]
    return product


def fitted(features: Tensor, targets: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """The weight and bias that bring the features closest to the targets.

    Orthonormal functions as the basis, because all output channels share it: ReLU
    features as the basis had a curvature of 11 to 83 (a weight of ``nn.Conv2d``: 1),
    and training hardly moved.
    """
    mean, target_mean = (shares * features).sum(0), (shares * targets).sum(0)
    centred, target = features - mean, targets - target_mean
    values, vectors = torch.linalg.eigh(centred.T @ (shares * centred))
    kept = values > _RCOND * values[-1]
    vectors, values = vectors[:, kept], values[kept]
    weight = (vectors / values @ vectors.T @ centred.T @ (shares * target)).T
    return weight, target_mean - weight @ mean
