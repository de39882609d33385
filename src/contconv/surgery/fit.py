"""The head with which a kernel passes through given taps."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from contconv._runtime.shapes import Float
from contconv.kernels import ContinuousKernel
from contconv.kernels.base import is_separable


@dataclass(frozen=True)
class TapLayout:
    """What a layer was made from, so that weights saved of that still fit.

    Args:
        groups: Groups of channels that do not mix.
        transposed: Whether the weight is that of a transposed convolution.
        repeated: By how much the input was enlarged before, nearest pixel, per axis.
        pooled: How many pixels were averaged before, per axis.
        parts: Taps per input pixel, per axis.
        shape: Of the weight.
    """

    groups: int
    transposed: bool
    repeated: tuple[int, ...]
    pooled: tuple[int, ...]
    parts: tuple[int, ...]
    shape: tuple[int, ...]

    def taps(
        self, weight: Tensor, support: Sequence[int]
    ) -> Float[Tensor, "o c *taps"]:
        """The taps in float64, from the lowest to the highest distance.

        Those within the support that the filter does not reach are zero.

        Args:
            weight: Of the layer.
            support: The width of the kernel in input pixels, per axis.
        """
        taps = weight.detach().double()
        if self.transposed:
            taps = taps.unflatten(0, (self.groups, -1)).transpose(1, 2).flatten(0, 1)
        else:
            taps = taps.flip([*range(2, taps.ndim)])
        for dim, (more, fewer) in enumerate(
            zip(self.repeated, self.pooled, strict=True), 2
        ):
            taps = _spread(taps, dim, more)
            taps = taps.repeat_interleave(fewer, dim) / fewer
        triples = zip(taps.shape[2:], support, self.parts, strict=True)
        zeros = [(width * parts - n + 1) // 2 for n, width, parts in triples]
        return torch.nn.functional.pad(taps, [n for z in zeros[::-1] for n in (z, z)])

    def distances(self, axis: int, count: int) -> Float[Tensor, " count"]:
        """The distances of an axis's taps, in input pixels."""
        places = torch.arange(count, dtype=torch.float64) - (count - 1) / 2
        return places / self.parts[axis]


def _spread(taps: Tensor, dim: int, times: int) -> Tensor:
    """Taps on an image whose pixels are repeated, as taps on the image."""
    shape = list(taps.shape)
    shape[dim] += times - 1
    out, size = taps.new_zeros(shape), taps.shape[dim]
    for i in range(times):
        out.narrow(dim, i, size).add_(taps)
    return out


# Directions of the basis fainter than this are left out of a fit.
RCOND = 1e-10


@torch.no_grad()
def fit(
    kernel: ContinuousKernel, origin: TapLayout, weight: Tensor
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
    head = _along([torch.linalg.pinv(matrix, rcond=RCOND) for matrix in matrices], taps)
    reached = _along(matrices, head.unflatten(2, [m.shape[1] for m in matrices]))
    largest = taps.abs().max().clamp_min(torch.finfo(torch.float64).tiny)
    return head, float((reached - taps.flatten(2)).abs().max() / largest)


def _matrices(
    kernel: ContinuousKernel, origin: TapLayout, taps: Tensor
) -> list[Tensor]:
    """The basis at the taps: one matrix for each axis, or one for all."""
    counts, device = taps.shape[2:], taps.device
    distances = [origin.distances(i, n).to(device) for i, n in enumerate(counts)]
    if is_separable(kernel):
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
