"""Names that stand for kernels."""

from collections.abc import Callable, Sequence
from typing import Any

from contconv.kernels.base import ContinuousKernel
from contconv.kernels.classical import (
    BoxKernel,
    CubicKernel,
    GaussianKernel,
    LanczosKernel,
    LinearKernel,
)
from contconv.kernels.cosine import CosineKernel
from contconv.kernels.mlp import MLPKernel
from contconv.kernels.spline import SplineKernel

# Neither Pillow nor MATLAB has one: half a pixel of standard deviation. Made here, as its
# covariance is looked at, which compilers and tensors without values do not allow.
_GAUSSIANS = {ndim: GaussianKernel(0.25, (4,) * ndim) for ndim in (1, 2, 3)}

_CLASSICAL: dict[str, Callable[[int], ContinuousKernel]] = {
    "box": lambda ndim: BoxKernel(ndim=ndim),
    "linear": lambda ndim: LinearKernel(ndim=ndim),
    "cubic": lambda ndim: CubicKernel(ndim=ndim),
    "lanczos2": lambda ndim: LanczosKernel(2, ndim=ndim),
    "lanczos3": lambda ndim: LanczosKernel(3, ndim=ndim),
    "gaussian": _GAUSSIANS.__getitem__,
}

_LEARNED: dict[str, Callable[..., ContinuousKernel]] = {
    "cosine": CosineKernel,
    "mlp": MLPKernel,
    "spline": SplineKernel,
}

CLASSICAL_NAMES, LEARNED_NAMES = tuple(_CLASSICAL), tuple(_LEARNED)


def classical_kernel(name: str, ndim: int) -> ContinuousKernel:
    """A kernel without parameters, or ValueError with the known names."""
    if name not in _CLASSICAL:
        raise ValueError(
            f"unknown kernel {name!r}; choose one of {sorted(_CLASSICAL)} "
            "or pass a ContinuousKernel"
        )
    return _CLASSICAL[name](ndim)


def learned_kernel(
    name: str, in_channels: int, out_channels: int, size: Sequence[int], **options: Any
) -> ContinuousKernel:
    """A new kernel with parameters, or ValueError with the known names."""
    if name not in _LEARNED:
        raise ValueError(
            f"unknown kernel {name!r}; choose one of {sorted(_LEARNED)} "
            "or pass a ContinuousKernel"
        )
    return _LEARNED[name](in_channels, out_channels, size, **options)
