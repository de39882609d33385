"""nn.Upsample and means of blocks: fixed kernels, at the same scale or another."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from torch import nn

from contconv._grid.placement import Placement, conv_placement
from contconv._runtime.arguments import per_axis
from contconv.kernels import (
    BandlimitedKernel,
    BoxKernel,
    ContinuousKernel,
    CubicKernel,
    LinearKernel,
    SincKernel,
)
from contconv.nn.conv import LAYERS
from contconv.nn.layer import ContinuousConv
from contconv.surgery.discrete import AVERAGES

LOW_PASS = "low-pass"  # the mode of a low-pass filter

_MODES = ("nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic")

AXES_OF: dict[type[nn.Module], int] = dict(zip(AVERAGES, (1, 2, 3), strict=True))


@dataclass(frozen=True)
class Fixed:
    """A resizing by a fixed kernel, the same for all channels."""

    module: nn.Module
    mode: str  # as nn.Upsample has it, "mean", or `LOW_PASS`
    scale: Any  # one for all axes, or for each
    size: Any = None  # of the output; None with a scale
    placements: tuple[Placement, ...] | None = None
    padding_mode: str = "replicate"

    def layer(self, shape: Sequence[int]) -> ContinuousConv:
        """The layer that does it to inputs of this shape."""
        # A pooling also takes inputs without a batch.
        axes = AXES_OF.get(type(self.module), len(shape) - 2)
        channels = shape[-axes - 1]
        kernel = _kernel(self.mode, axes, self.scale)
        return LAYERS[axes](
            channels,
            channels,
            kernel.kernel_size,
            scale=self.scale,
            size=self.size,
            groups=channels,
            bias=False,
            padding=cast(Any, self.placements),
            padding_mode=self.padding_mode,
            kernel=kernel,
            antialias=self.mode == "mean",
        )


def read_upsample(module: nn.Upsample) -> Fixed | str:
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
        return Fixed(module, mode, None, size)
    factors = whole_factors(scale, len(scale) if isinstance(scale, tuple) else 1)
    if factors is None:
        return f"scale_factor {scale} is not whole: its size is rounded down"
    whole = factors if isinstance(scale, tuple) else factors[0]
    return Fixed(module, mode, whole)


def read_average(module: Any) -> Fixed | str:
    """What a pooling computes, or why no fixed kernel does."""
    pool = settings_of(module, AXES_OF[type(module)]) if type(module) in AXES_OF else {}
    if not pool:
        return "a subclass of a pooling, which may compute something else"
    if not is_mean_of_blocks(pool):
        return (
            "its windows are no blocks side by side, all of one weight; "
            "contconv.continuous_conv with BoxKernel is the mean at any scale"
        )
    blocks = pool["kernel_size"]
    placements = tuple(conv_placement(width, 0, 0) for width in blocks)
    return Fixed(module, "mean", [Fraction(1, n) for n in blocks], None, placements)


def is_mean_of_blocks(pool: dict[str, Any]) -> bool:
    """Whether a pooling with these settings takes blocks side by side."""
    blocks = pool["kernel_size"] == pool["stride"] and not any(pool["padding"])
    return blocks and not pool["ceil_mode"] and not pool["divisor_override"]


def settings_of(module: nn.Module, axes: int) -> dict[str, Any]:
    """The settings of a pooling, per axis."""
    values: Any = vars(module)
    wanted = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1}
    found = {name: values.get(name, default) for name, default in wanted.items()}
    return {
        **{n: tuple(map(int, per_axis(v, axes, n))) for n, v in found.items()},
        "ceil_mode": values["ceil_mode"],
        "divisor_override": values.get("divisor_override"),
    }


def whole_factors(factor: Any, axes: int) -> tuple[int, ...] | None:
    """An enlargement as whole factors, or None."""
    if factor is None:
        return None
    values = [Fraction(value) for value in per_axis(factor, axes, "scale_factor")]
    whole = all(value >= 1 and value.denominator == 1 for value in values)
    return tuple(map(int, values)) if whole else None


def _kernel(mode: str, axes: int, scale: Any) -> ContinuousKernel:
    if mode == LOW_PASS:
        width, cutoff = BandlimitedKernel.low_pass(1, scale, axes=axes)
        return SincKernel(width, cutoff=cutoff, ndim=axes)
    if mode.startswith("nearest") or mode == "mean":
        return BoxKernel(ndim=axes)
    # PyTorch's cubic has another slope than MATLAB's and Pillow's.
    return CubicKernel(-0.75) if mode == "bicubic" else LinearKernel(ndim=axes)
