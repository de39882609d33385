"""nn.Upsample alone: classical resizing at the same scale, and at any other."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from torch import nn

from contconv._runtime.arguments import per_axis
from contconv.kernels import BoxKernel, ContinuousKernel, CubicKernel, LinearKernel
from contconv.nn.conv import LAYERS
from contconv.nn.layer import ContinuousConv

_MODES = ("nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic")


@dataclass(frozen=True)
class Classical:
    """An enlargement by a fixed kernel, the same for all channels."""

    module: nn.Upsample
    mode: str
    scale: Any  # a whole number, or one for each axis
    size: Any  # of the output; None with a scale

    def layer(self, shape: Sequence[int]) -> ContinuousConv:
        """The layer that does it to inputs like ``[n, c, *in]``."""
        channels, axes = shape[1], len(shape) - 2
        kernel = _kernel(self.mode, axes)
        return LAYERS[axes](
            channels,
            channels,
            kernel.kernel_size,
            scale=self.scale,
            size=self.size,
            groups=channels,
            bias=False,
            padding_mode="replicate",
            kernel=kernel,
        )


def read_upsample(module: nn.Upsample) -> Classical | str:
    """What it computes, or why no continuous layer does."""
    mode = module.mode
    if mode not in _MODES:
        return f"mode {mode!r} is unknown"
    if module.align_corners:
        return "align_corners=True: its scale is another one at each size"
    scale, size = module.scale_factor, module.size
    if scale is None and mode.startswith("nearest"):
        return f"mode {mode!r} with a size: which pixel is nearest is rounded"
    if scale is None:
        return Classical(module, mode, None, size)
    factors = whole_factors(scale, len(scale) if isinstance(scale, tuple) else 1)
    if factors is None:
        return f"scale_factor {scale} is not whole: its size is rounded down"
    whole = factors if isinstance(scale, tuple) else factors[0]
    return Classical(module, mode, whole, None)


def whole_factors(factor: Any, axes: int) -> tuple[int, ...] | None:
    """An enlargement as whole factors, or None."""
    if factor is None:
        return None
    values = [Fraction(value) for value in per_axis(factor, axes, "scale_factor")]
    whole = all(value >= 1 and value.denominator == 1 for value in values)
    return tuple(map(int, values)) if whole else None


def _kernel(mode: str, axes: int) -> ContinuousKernel:
    if mode.startswith("nearest"):
        return BoxKernel(ndim=axes)
    # PyTorch's cubic has another slope than MATLAB's and Pillow's.
    return CubicKernel(-0.75) if mode == "bicubic" else LinearKernel(ndim=axes)
