"""The classical kernels of image resampling: no parameters, nothing to learn."""

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.arguments import as_whole
from contconv._runtime.autograd import clamped
from contconv._runtime.shapes import Float, no_type_check
from contconv.kernels.base import ContinuousKernel, SeparableKernel, as_support


class ClassicalKernel(ContinuousKernel, ABC):
    """A kernel without parameters, one filter for every channel."""

    def __init__(self, kernel_size: Sequence[int]) -> None:
        super().__init__(kernel_size)
        # Says which device and dtype the kernel was moved to; it holds no number that
        # `to_empty` could lose.
        self.register_buffer("_place", torch.empty(0), persistent=False)

    def _unit_head(self) -> Tensor:
        """One, made anew where the kernel is."""
        return self.get_buffer("_place").new_ones(1, 1, 1)

    head: Tensor = property(_unit_head)  # type: ignore

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """What the class is called with for the same kernel; as in JSON."""


def as_axes(ndim: Any) -> int:
    """How many axes, or an error that says how many there may be."""
    if as_whole(ndim, "ndim") > 3:
        raise ValueError(f"ndim must be 1 to 3, got {ndim}")
    return ndim


class BoxKernel(ClassicalKernel, SeparableKernel):
    """The mean of the pixels within ``width``; with a width of 1, the nearest pixel.

    Args:
        width: Of the support, in input pixels, for all axes.
        ndim: How many axes the kernel has.

    Raises:
        TypeError: If a number is not whole.
        ValueError: If the width is less than 1, or the axes are not 1 to 3.
    """

    @no_type_check
    def __init__(self, width: int = 1, *, ndim: int = 2) -> None:
        super().__init__((as_whole(width, "width"),) * as_axes(ndim))

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """``1 / width``."""
        return torch.full_like(distance, 1 / self.kernel_size[axis])[..., None]

    def axis_constants(self, axis: int) -> Hashable:
        """The width."""
        return self.kernel_size[axis]

    def arguments(self) -> dict[str, Any]:
        """The width and the axes."""
        return {"width": self.kernel_size[0], "ndim": self.ndim}


class LinearKernel(ClassicalKernel, SeparableKernel):
    """The triangle of linear interpolation: ``1 - |d|``, 2 pixels wide.

    Args:
        ndim: How many axes the kernel has.

    Raises:
        TypeError: If that is no whole number.
        ValueError: If it is not 1 to 3.
    """

    @no_type_check
    def __init__(self, *, ndim: int = 2) -> None:
        super().__init__((2,) * as_axes(ndim))

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """``1 - |d|``."""
        return clamped(1 - distance.abs(), 0)[..., None]

    def axis_constants(self, axis: int) -> Hashable:
        """Nothing but the kind of kernel."""
        return ()

    def arguments(self) -> dict[str, Any]:
        """The axes."""
        return {"ndim": self.ndim}


class CubicKernel(ClassicalKernel, SeparableKernel):
    """Cubic convolution, 4 pixels wide (Keys 1981, his fourth equation).

    Args:
        a: The free parameter: the slope at 1 pixel. -1/2 in MATLAB and Pillow, and in
            PyTorch with antialias; -3/4 in PyTorch without, and in OpenCV.
        ndim: How many axes the kernel has.
    """

    @no_type_check
    def __init__(self, a: float = -0.5, *, ndim: int = 2) -> None:
        super().__init__((4,) * as_axes(ndim))
        if not math.isfinite(a):
            raise ValueError(f"a must be finite, got {a}")
        self.a = a

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """Two cubics, meeting at a distance of 1 pixel."""
        a, d = self.a, distance.abs()
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return torch.where(d <= 1, near, torch.where(d < 2, far, 0.0))[..., None]

    def axis_constants(self, axis: int) -> Hashable:
        """The free parameter."""
        return self.a

    def arguments(self) -> dict[str, Any]:
        """The free parameter and the axes."""
        return {"a": self.a, "ndim": self.ndim}


class LanczosKernel(ClassicalKernel, SeparableKernel):
    """A windowed sinc: ``sinc(d) sinc(d / lobes)``, ``2 * lobes`` pixels wide.

    Args:
        lobes: To each side; more keep finer detail, and ring further from edges.
        ndim: How many axes the kernel has.

    Raises:
        TypeError: If a number is not whole.
        ValueError: If there is less than one lobe, or the axes are not 1 to 3.
    """

    @no_type_check
    def __init__(self, lobes: int = 3, *, ndim: int = 2) -> None:
        super().__init__((2 * as_whole(lobes, "lobes"),) * as_axes(ndim))
        self.lobes = lobes

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """``sinc(d) sinc(d / lobes)``."""
        values = sinc(distance) * sinc(distance / self.lobes)
        return torch.where(distance.abs() < self.lobes, values, 0.0)[..., None]

    def axis_constants(self, axis: int) -> Hashable:
        """The lobes."""
        return self.lobes

    def arguments(self) -> dict[str, Any]:
        """The lobes and the axes."""
        return {"lobes": self.lobes, "ndim": self.ndim}


def sinc(x: Tensor) -> Tensor:
    """``sin(pi x) / (pi x)``, by its series around zero.

    The second derivative of `torch.sinc` is NaN at zero, and cancels near it.
    """
    near = x.abs() < 0.01
    square = (math.pi * x.where(near, 0.0)) ** 2
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42))
    return torch.where(near, series, torch.sinc(x.where(~near, 1.0)))


class GaussianKernel(ClassicalKernel):
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
        matrix = _as_covariance(covariance, as_axes(ndim))
        if kernel_size is None:
            variances = [row[i] for i, row in enumerate(matrix)]
            kernel_size = [math.ceil(6 * math.sqrt(value)) for value in variances]
        elif len(matrix) != ndim:
            raise ValueError(
                f"kernel_size must have one width for each of the {len(matrix)} axes "
                f"of the covariance, got {kernel_size}"
            )
        super().__init__(kernel_size)
        self.covariance = matrix
        # Plain numbers: a tensor would be copied to the device at every call.
        self.precision, self.density = _precision(matrix)

    def basis(
        self, distances: Float[Tensor, "*batch ndim"]
    ) -> Float[Tensor, "*batch rank"]:
        """The density at ``distances``, in input pixels."""
        square = torch.zeros_like(distances[..., 0])
        for i, row in enumerate(self.precision):
            for j, value in enumerate(row):
                square = square + value * distances[..., i] * distances[..., j]
        return self.density * torch.exp(-square / 2)[..., None]

    def basis_inputs(self) -> tuple[Hashable, tuple[Tensor, ...]]:
        """The inverse of the covariance, and the density at zero."""
        return (tuple(map(tuple, self.precision)), self.density), ()

    def arguments(self) -> dict[str, Any]:
        """The covariance and the size."""
        return {"covariance": self.covariance, "kernel_size": self.kernel_size}


Matrix = list[list[float]]


def _as_covariance(given: Any, ndim: int) -> Matrix:
    """The covariance as a matrix, or ValueError."""
    values = given.tolist() if hasattr(given, "tolist") else given
    try:
        if not isinstance(values, Sequence):
            axes = range(ndim)
            values = [[float(values) * (i == j) for j in axes] for i in axes]
        matrix = [[float(value) for value in row] for row in values]
    except (TypeError, ValueError, OverflowError):
        matrix = []
    if not _is_symmetric(matrix) or _root(matrix) is None:
        raise ValueError(
            "covariance must be a positive number or a symmetric positive definite "
            f"matrix, got {given}"
        )
    return matrix


def _is_symmetric(matrix: Matrix) -> bool:
    square = len(matrix) <= 3 and all(len(row) == len(matrix) for row in matrix)
    return square and matrix == [list(column) for column in zip(*matrix, strict=True)]


def _root(matrix: Matrix) -> Matrix | None:
    """The lower triangular L with ``L L^T = matrix`` (Cholesky), if there is one.

    In plain numbers: also where new tensors have no memory, and on all machines alike.
    """
    root: Matrix = []
    for i, row in enumerate(matrix):
        new: list[float] = []
        for j, value in enumerate(row[: i + 1]):
            above = new if i == j else root[j]
            rest = value - sum(a * b for a, b in zip(new, above, strict=False))
            if i == j and not 0 < rest < math.inf:
                return None
            new.append(math.sqrt(rest) if i == j else rest / root[j][j])
        root.append(new)
    return root or None


def _precision(covariance: Matrix) -> tuple[Matrix, float]:
    """The inverse of a covariance, and the density of its distribution at zero."""
    root = _root(covariance)
    assert root is not None
    axes = range(len(root))
    inverse = [[0.0 for _ in axes] for _ in axes]  # of the root
    for column in axes:
        for i in range(column, len(root)):
            above = sum(root[i][k] * inverse[k][column] for k in range(column, i))
            inverse[i][column] = ((i == column) - above) / root[i][i]
    product = [
        [sum(inverse[k][i] * inverse[k][j] for k in axes) for j in axes] for i in axes
    ]
    return product, math.prod(1 / math.sqrt(2 * math.pi) / root[i][i] for i in axes)
