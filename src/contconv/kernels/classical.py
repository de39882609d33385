"""The classical kernels of image resampling: no parameters, nothing to learn."""

import math
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.arguments import as_whole
from contconv._runtime.shapes import Float, no_type_check
from contconv.kernels.base import ContinuousKernel, SeparableKernel, as_support


class BoxKernel(SeparableKernel):
    """The mean of the pixels within ``width``; with a width of 1, the nearest pixel."""

    @no_type_check
    def __init__(self, width: int = 1, *, ndim: int = 2) -> None:
        super().__init__((as_whole(width, "width"),) * as_whole(ndim, "ndim"))
        _set_unit_head(self)

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """``1 / width``."""
        return torch.full_like(distance, 1 / self.kernel_size[axis])[..., None]

    def axis_key(self, axis: int) -> Hashable | None:
        """The width."""
        return _key(self, BoxKernel, self.kernel_size[axis])


class LinearKernel(SeparableKernel):
    """The triangle of linear interpolation: ``1 - |d|``, 2 pixels wide."""

    @no_type_check
    def __init__(self, *, ndim: int = 2) -> None:
        super().__init__((2,) * as_whole(ndim, "ndim"))
        _set_unit_head(self)

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """``1 - |d|``."""
        return (1 - distance.abs()).clamp(min=0)[..., None]

    def axis_key(self, axis: int) -> Hashable | None:
        """Nothing but the kind of kernel."""
        return _key(self, LinearKernel)


class CubicKernel(SeparableKernel):
    """Cubic convolution (Keys, 1981, Eq. 4), 4 pixels wide.

    Args:
        a: The free parameter: the slope at 1 pixel. -1/2 in MATLAB and Pillow, and in
            PyTorch with antialias; -3/4 in PyTorch without, and in OpenCV.
        ndim: How many axes the kernel has.
    """

    @no_type_check
    def __init__(self, a: float = -0.5, *, ndim: int = 2) -> None:
        super().__init__((4,) * as_whole(ndim, "ndim"))
        if not math.isfinite(a):
            raise ValueError(f"a must be finite, got {a}")
        self.a = a
        _set_unit_head(self)

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """Two cubics, meeting at a distance of 1 pixel."""
        a, d = self.a, distance.abs()
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return torch.where(d <= 1, near, torch.where(d < 2, far, 0.0))[..., None]

    def axis_key(self, axis: int) -> Hashable | None:
        """The free parameter."""
        return _key(self, CubicKernel, self.a)


class LanczosKernel(SeparableKernel):
    """A windowed sinc: ``sinc(d) sinc(d / lobes)``, ``2 * lobes`` pixels wide."""

    @no_type_check
    def __init__(self, lobes: int = 3, *, ndim: int = 2) -> None:
        super().__init__((2 * as_whole(lobes, "lobes"),) * as_whole(ndim, "ndim"))
        self.lobes = lobes
        _set_unit_head(self)

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """``sinc(d) sinc(d / lobes)``."""
        values = _sinc(distance) * _sinc(distance / self.lobes)
        return torch.where(distance.abs() < self.lobes, values, 0.0)[..., None]

    def axis_key(self, axis: int) -> Hashable | None:
        """The lobes."""
        return _key(self, LanczosKernel, self.lobes)


def _sinc(x: Tensor) -> Tensor:
    """``sin(pi x) / (pi x)``, by its series around zero.

    The second derivative of `torch.sinc` is NaN at zero, and cancels near it.
    """
    near = x.abs() < 0.01
    square = (math.pi * x.where(near, 0.0)) ** 2
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42))
    return torch.where(near, series, torch.sinc(x.where(~near, 1.0)))


class GaussianKernel(ContinuousKernel):
    """The density of a centred normal distribution, cut off at the support.

    Args:
        covariance: In square pixels: one variance for all axes, or a symmetric positive
            definite matrix, for instance ``[[4.0, 1.5], [1.5, 1.0]]``.
        kernel_size: Width of the support per axis; 3 standard deviations to each side
            unless given.
        ndim: How many axes the kernel has; a matrix or a kernel size says it by itself.
    """

    @no_type_check
    def __init__(
        self,
        covariance: float | Sequence[Sequence[float]] | Tensor = 1.0,
        kernel_size: Sequence[int] | None = None,
        *,
        ndim: int = 2,
    ) -> None:
        if kernel_size is not None:
            kernel_size = as_support(kernel_size)
            ndim = len(kernel_size)
        matrix = _as_covariance(covariance, as_whole(ndim, "ndim"))
        if kernel_size is None:
            variances = matrix.diagonal().tolist()
            kernel_size = [math.ceil(6 * math.sqrt(value)) for value in variances]
        elif len(matrix) != ndim:
            raise ValueError(
                f"kernel_size must have one width for each of the {len(matrix)} axes "
                f"of the covariance, got {kernel_size}"
            )
        super().__init__(kernel_size)
        # Plain numbers: a tensor would be copied to the device at every call.
        self.precision: list[list[float]] = torch.linalg.inv(matrix).tolist()
        self.density = 1 / math.sqrt(torch.det(2 * math.pi * matrix).item())
        _set_unit_head(self)

    def basis(
        self, distances: Float[Tensor, "*batch ndim"]
    ) -> Float[Tensor, "*batch rank"]:
        """The density at ``distances``, in input pixels."""
        square = torch.zeros_like(distances[..., 0])
        for i, row in enumerate(self.precision):
            for j, value in enumerate(row):
                square = square + value * distances[..., i] * distances[..., j]
        return self.density * torch.exp(-square / 2)[..., None]


def _as_covariance(given: Any, ndim: int) -> Tensor:
    """The covariance as a matrix in float64, or ValueError."""
    matrix = torch.as_tensor(given, dtype=torch.float64).detach()
    if matrix.ndim == 0:
        matrix = matrix * torch.eye(ndim, dtype=torch.float64)
    if (
        matrix.ndim != 2
        or not matrix.isfinite().all()
        or not matrix.equal(matrix.T)
        or not torch.linalg.eigvalsh(matrix).min() > 0
    ):
        raise ValueError(
            "covariance must be a positive number or a symmetric positive definite "
            f"matrix, got {given}"
        )
    return matrix


def _set_unit_head(kernel: ContinuousKernel) -> None:
    """Make the head of an analytic kernel: one, for every channel."""
    kernel.register_buffer("head", torch.ones(1, 1, 1), persistent=False)


def _key(kernel: SeparableKernel, owner: type, *parameters: float) -> Hashable | None:
    """What the basis depends on; None for a subclass that has one of its own."""
    own = type(kernel).axis_basis is not owner.axis_basis
    return None if own else (owner, *parameters)
