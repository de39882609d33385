"""The head with which a kernel passes through given taps."""

import torch
from torch import Tensor

from contconv._types import Float
from contconv.kernels import ContinuousKernel, SeparableKernel
from contconv.surgery._origin import Origin

# Directions of the basis fainter than this are left out of a fit.
_FAINT = 1e-10


@torch.no_grad()
def fit(
    kernel: ContinuousKernel, origin: Origin, weight: Tensor
) -> tuple[Float[Tensor, "o c rank"], float]:
    """The head, by least squares in float64, and its largest relative error.

    Args:
        kernel: Evaluated at the taps' distances.
        origin: What the weight belongs to.
        weight: Of a convolution or a transposed one.

    Returns:
        The head in float64, and how far the kernel is off at any tap, over the largest.
    """
    taps = origin.taps(weight, kernel.kernel_size)
    matrices = _matrices(kernel, origin, taps)
    head = _along(
        [torch.linalg.pinv(matrix, rcond=_FAINT) for matrix in matrices], taps
    )
    reached = _along(matrices, head.unflatten(2, [m.shape[1] for m in matrices]))
    largest = taps.abs().max().clamp_min(torch.finfo(torch.float64).tiny)
    return head, float((reached - taps.flatten(2)).abs().max() / largest)


def _matrices(kernel: ContinuousKernel, origin: Origin, taps: Tensor) -> list[Tensor]:
    """The basis at the taps: one matrix for each axis, or one for all."""
    counts, device = taps.shape[2:], taps.device
    distances = [origin.distances(i, n).to(device) for i, n in enumerate(counts)]
    if isinstance(kernel, SeparableKernel):
        return [kernel.axis_basis(d, i) for i, d in enumerate(distances)]
    grid = torch.cartesian_prod(*distances).view(-1, len(counts))
    return [kernel.basis(grid)]


def _along(matrices: list[Tensor], values: Tensor) -> Tensor:
    """Each axis multiplied by its matrix; then the axes as one: ``[o, c, *]``."""
    if len(matrices) == 1:
        return values.flatten(2) @ matrices[0].T
    for axis, matrix in enumerate(matrices, 2):
        values = (values.movedim(axis, -1) @ matrix.T).movedim(-1, axis)
    return values.flatten(2)
