"""Names that stand for kernels."""

from collections.abc import Callable, Sequence
from typing import Any

from contconv.kernels.bandlimited import BandlimitedKernel
from contconv.kernels.base import ContinuousKernel
from contconv.kernels.classical import (
    BoxKernel,
    ClassicalKernel,
    CubicKernel,
    GaussianKernel,
    LanczosKernel,
    LinearKernel,
)
from contconv.kernels.cosine import CosineKernel
from contconv.kernels.learned import LearnedKernel
from contconv.kernels.mlp import MLPKernel
from contconv.kernels.sinc import SincKernel
from contconv.kernels.spline import SplineKernel

# The learned kernels: what layers, `convert`, `gradual`, `save` and `load` know.
LEARNED: dict[str, type[LearnedKernel]] = {
    "bandlimited": BandlimitedKernel,
    "cosine": CosineKernel,
    "mlp": MLPKernel,
    "spline": SplineKernel,
}

# Neither Pillow nor MATLAB has one: half a pixel of standard deviation. Made here, for
# its covariance is looked at: compilers and tensors without values do not allow that.
_GAUSSIANS = {ndim: GaussianKernel(0.25, (4,) * ndim) for ndim in (1, 2, 3)}

# The classical ones, for so many axes.
CLASSICAL: dict[str, Callable[[int], ClassicalKernel]] = {
    "box": lambda ndim: BoxKernel(ndim=ndim),
    "linear": lambda ndim: LinearKernel(ndim=ndim),
    "cubic": lambda ndim: CubicKernel(ndim=ndim),
    "lanczos2": lambda ndim: LanczosKernel(2, ndim=ndim),
    "lanczos3": lambda ndim: LanczosKernel(3, ndim=ndim),
    "sinc": lambda ndim: SincKernel(ndim=ndim),
    "gaussian": _GAUSSIANS.__getitem__,
}


def kernel_classes() -> dict[str, type[LearnedKernel] | type[ClassicalKernel]]:
    """The classes of all named kernels, by their own names."""
    classical = {type(make(1)) for make in CLASSICAL.values()}
    return {kind.__name__: kind for kind in (*LEARNED.values(), *classical)}


def classical_kernel(name: str, ndim: int) -> ClassicalKernel:
    """A kernel without parameters, or ValueError with the known names."""
    kernel = _named(CLASSICAL, name)(ndim)
    if kernel.head.is_meta:
        # Made under torch.device("meta"); who gave a name cannot move it.
        kernel.to_empty(device="cpu")
    return kernel


def learned_class(name: str) -> type[LearnedKernel]:
    """The class of a kernel with parameters, or ValueError with the known names."""
    return _named(LEARNED, name)


def learned_kernel(
    name: str, in_channels: int, out_channels: int, size: Sequence[int], **options: Any
) -> ContinuousKernel:
    """A new kernel with parameters, or ValueError with the known names."""
    make: Any = learned_class(name)
    return make(in_channels, out_channels, size, **options)


def _named(known: dict[str, Any], name: str) -> Any:
    if name not in known:
        raise ValueError(
            f"unknown kernel {name!r}; choose one of {sorted(known)} "
            "or pass a ContinuousKernel"
        )
    return known[name]
