"""The head with which a kernel passes through given taps, and the taps of a head."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from contconv._runtime.shapes import Float
from contconv.kernels import BandlimitedKernel, ContinuousKernel
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

    def matrices(
        self, support: Sequence[int], device: torch.device
    ) -> list[Float[Tensor, "taps width"]]:
        """The taps of each axis, from the lowest distance on, of its weights.

        In float64. Taps within the support that the filter does not reach are zero.

        Args:
            support: The width of the kernel in input pixels, per axis.
            device: Where they are wanted.
        """
        return [
            self._matrix(axis, width).to(device) for axis, width in enumerate(support)
        ]

    def _matrix(self, axis: int, support: int) -> Tensor:
        own = torch.eye(self.shape[2 + axis], dtype=torch.float64, device="cpu")
        own = own if self.transposed else own.flip(0)
        more, fewer = self.repeated[axis], self.pooled[axis]
        spread = [pad(own, (0, 0, i, more - 1 - i)) for i in range(more)]
        taps = torch.stack(spread).sum(0).repeat_interleave(fewer, 0) / fewer
        zeros = (support * self.parts[axis] - len(taps) + 1) // 2
        return pad(taps, (0, 0, zeros, zeros))

    def distances(
        self, axis: int, count: int, device: torch.device
    ) -> Float[Tensor, " count"]:
        """The distances of an axis's taps, in input pixels."""
        places = torch.arange(count, dtype=torch.float64, device=device)
        places = places - (count - 1) / 2
        return places / self.parts[axis]

    def exchanged(self, weight: Tensor) -> Tensor:
        """A weight with the outputs first, as taps have them; and the way back."""
        if not self.transposed:
            return weight
        return weight.unflatten(0, (self.groups, -1)).transpose(1, 2).flatten(0, 1)


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
    own = origin.matrices(kernel.kernel_size, weight.device)
    taps = _along(own, origin.exchanged(weight.detach().double()))
    matrices = _bases(kernel, origin, own)
    head = _along([torch.linalg.pinv(matrix, rcond=RCOND) for matrix in matrices], taps)
    reached = _along(matrices, head).flatten(2)
    largest = taps.abs().max().clamp_min(torch.finfo(torch.float64).tiny)
    return head.flatten(2), float((reached - taps.flatten(2)).abs().max() / largest)


def weight_of(kernel: ContinuousKernel, origin: TapLayout) -> Tensor:
    """The weight whose taps a kernel has, or comes closest to: the way back."""
    own = origin.matrices(kernel.kernel_size, kernel.head.device)
    bases, counts = _bases(kernel, origin, own), [len(matrix) for matrix in own]
    head = kernel.head.double().unflatten(2, [basis.shape[1] for basis in bases])
    taps = _along(bases, head).flatten(2).unflatten(2, counts)
    weight = _along([torch.linalg.pinv(matrix) for matrix in own], taps)
    return origin.exchanged(weight).to(kernel.head.dtype)


def _bases(
    kernel: ContinuousKernel, origin: TapLayout, own: Sequence[Tensor]
) -> list[Tensor]:
    """The basis at the taps: one matrix for each axis, or one for all."""
    distances = [origin.distances(i, len(m), m.device) for i, m in enumerate(own)]
    if isinstance(kernel, BandlimitedKernel) and set(origin.parts) == {1}:
        # Its head has the taps; its values there are low-passed.
        return [kernel.at_taps(d, i) for i, d in enumerate(distances)]
    if is_separable(kernel):
        return [kernel.axis_basis(d, i) for i, d in enumerate(distances)]
    return [kernel.basis(torch.cartesian_prod(*distances).view(-1, len(own)))]


def _along(matrices: list[Tensor], values: Tensor) -> Tensor:
    """Each axis after the channels multiplied by its matrix; or all, as one axis."""
    if len(matrices) == 1:
        return values.flatten(2) @ matrices[0].T
    for axis, matrix in enumerate(matrices, 2):
        values = (values.movedim(axis, -1) @ matrix.T).movedim(-1, axis)
    return values
