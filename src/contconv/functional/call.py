"""Call: a continuous convolution, its arguments checked and its grid made, once."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from contconv._grid.grid import AxisGrid, Grid, PointGrid, resized_axes
from contconv._grid.padding import check_padding_mode
from contconv._grid.placement import Padding, Placements, as_placements
from contconv._grid.ratio import Scale, Size
from contconv._runtime.arguments import as_whole
from contconv._runtime.autocast import autocast_dtype
from contconv._runtime.shapes import Float, no_type_check
from contconv.engines import check_engine
from contconv.kernels import ContinuousKernel
from contconv.kernels.names import classical_kernel

_AXES = {1: "width", 2: "height, width", 3: "depth, height, width"}


def as_kernel(kernel: Any, input: Any) -> ContinuousKernel:
    """The kernel itself, or the classical one of that name with the input's axes."""
    if not isinstance(input, Tensor):
        raise TypeError(
            f"input must be a tensor, got {type(input).__name__}; convert it first, "
            "for instance with torch.as_tensor"
        )
    if isinstance(kernel, str):
        if not 3 <= input.ndim <= 5:
            raise ValueError(
                f"with the name of a kernel ({kernel!r}), input must be "
                f"[batch, channels, ...] with 1 to 3 more axes, got {input.ndim} axes"
            )
        return classical_kernel(kernel, input.ndim - 2)
    if not isinstance(kernel, ContinuousKernel):
        raise TypeError(
            "kernel must be a ContinuousKernel or the name of a classical kernel, "
            f"got {type(kernel).__name__}"
        )
    return kernel


def check_input(input: Tensor, kernel: ContinuousKernel, groups: Any) -> None:
    """Raise unless the kernel can be applied to the input."""
    _check_rank(input, kernel.ndim)
    _check_channels(input.shape[-kernel.ndim - 1], kernel, groups)
    _check_dtype(input, kernel)


def _check_rank(input: Tensor, ndim: int) -> None:
    if input.ndim not in (ndim + 1, ndim + 2):
        raise ValueError(
            f"input must be [batch, channels, {_AXES[ndim]}] or "
            f"[channels, {_AXES[ndim]}] for a kernel with {ndim} axes, "
            f"got {input.ndim} axes: {tuple(input.shape)}"
        )
    if 0 in input.shape[-ndim:]:
        raise ValueError(
            f"input must have at least 1 pixel on every axis, got {tuple(input.shape)}"
        )


def _check_channels(channels: int, kernel: ContinuousKernel, groups: Any) -> None:
    as_whole(groups, "groups")
    if kernel.is_shared:
        if channels < 1:
            raise ValueError(f"input must have at least 1 channel, got {channels}")
        if groups not in (1, channels):
            raise ValueError(
                "groups must be 1 or the number of channels for a kernel that all "
                f"channels share, got groups={groups} for {channels} channels"
            )
        return
    out_channels, per_group = kernel.head.shape[:2]
    if out_channels % groups:
        raise ValueError(
            f"groups must divide the kernel's {out_channels} output channels, "
            f"got {groups}"
        )
    if channels != per_group * groups:
        raise ValueError(
            f"input must have {per_group * groups} channels ({per_group} in each of "
            f"{groups} groups) for this kernel, got {channels}"
        )


def _check_dtype(input: Tensor, kernel: ContinuousKernel) -> None:
    if not input.is_floating_point():
        raise TypeError(
            f"input must be a floating-point tensor, got {input.dtype}; convert it "
            "first, for instance input.float() / 255"
        )
    if kernel.dtype is None:
        return
    if kernel.head.device != input.device:
        raise ValueError(
            f"input is on {input.device}, but the kernel is on {kernel.head.device}; "
            "move one with .to(device)"
        )
    if input.dtype != kernel.dtype and autocast_dtype(input) is None:
        raise TypeError(
            f"input has dtype {input.dtype}, but the kernel has {kernel.dtype}; "
            "convert one with .to(dtype), or use torch.autocast"
        )


def _check_floating(value: Any, name: str, device: torch.device) -> None:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a floating-point tensor, got {kind}")
    if value.device != device:
        raise ValueError(
            f"input is on {device}, but {name} on {value.device}; "
            "move one with .to(device)"
        )


def check_bias(bias: Any, out_channels: int, input: Tensor) -> None:
    """Raise unless the bias is None or has one value per output channel."""
    if bias is None:
        return
    _check_floating(bias, "bias", input.device)
    if bias.dtype != input.dtype and autocast_dtype(input) is None:
        raise TypeError(
            f"input has dtype {input.dtype}, but the bias has {bias.dtype}; "
            "convert one with .to(dtype), or use torch.autocast"
        )
    if tuple(bias.shape) != (out_channels,):
        raise ValueError(
            f"bias must have shape ({out_channels},), one value per output channel, "
            f"got {tuple(bias.shape)}"
        )


def check_points(points: Any, image: Tensor) -> None:
    """Raise unless the points are positions for this batch of images."""
    _check_floating(points, "points", image.device)
    batch, ndim = image.shape[0], image.ndim - 2
    shared, own = (ndim + 1, ndim + 2)
    if points.ndim not in (shared, own) or points.shape[-1] != ndim:
        raise ValueError(
            f"points must be [*out, {ndim}] or [batch, *out, {ndim}] with {ndim} axes "
            f"in out, got {tuple(points.shape)}"
        )
    if points.ndim == own and points.shape[0] not in (1, batch):
        raise ValueError(
            f"points must have one grid for each of the {batch} images or one for all, "
            f"got {points.shape[0]}"
        )


@dataclass(frozen=True)
class Call:
    """A continuous convolution, its arguments checked and its grid made, once.

    `run_call` computes it, `explain_call` says what that would take.
    """

    image: Float[Tensor, "n c *in_shape"]
    kernel: ContinuousKernel
    grid: Grid
    groups: int
    bias: Float[Tensor, " out"] | None
    dtype: torch.dtype  # of the output, and of the image as engines get it
    is_batched: bool
    engine: str

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        kernel = self.kernel
        return self.image.shape[1] if kernel.is_shared else kernel.head.shape[0]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of the output, with a batch if the input has one."""
        shape = (self.image.shape[0], self.out_channels, *self.grid.out_shape)
        return shape if self.is_batched else shape[1:]


@no_type_check
def as_call(
    input: Tensor,
    kernel: ContinuousKernel | str,
    *,
    scale: Scale | None = None,
    size: Size | None = None,
    points: Tensor | None = None,
    bias: Tensor | None = None,
    groups: int = 1,
    padding: Padding | Placements | None = None,
    padding_mode: str = "zeros",
    antialias: bool = False,
    engine: str = "auto",
) -> Call:
    """The call with these arguments of `continuous_conv`, or its error."""
    check_engine(engine)
    kernel = as_kernel(kernel, input)
    check_input(input, kernel, groups)
    check_padding_mode(padding_mode)
    is_batched = input.ndim == kernel.ndim + 2
    image = input if is_batched else input[None]
    placements = as_placements(padding, kernel.kernel_size)
    if points is None:
        in_shape = tuple(image.shape[2:])
        options = (scale, size, antialias, placements)
        axes = resized_axes(in_shape, kernel.kernel_size, *options)
        grid = AxisGrid(axes, padding_mode)
    else:
        if (scale, size, placements) != (None, None, None) or antialias:
            raise ValueError(
                "points say where to sample; leave out scale, size, padding and "
                "antialias"
            )
        grid = _point_grid(points, image, kernel, padding_mode)
    dtype = autocast_dtype(image) or image.dtype
    call = Call(image, kernel, grid, groups, bias, dtype, is_batched, engine)
    check_bias(bias, call.out_channels, image)
    return call


def _point_grid(
    points: Tensor, image: Tensor, kernel: ContinuousKernel, padding_mode: str
) -> PointGrid:
    check_points(points, image)
    points = points.to(torch.promote_types(points.dtype, torch.float32))
    points = points if points.ndim == image.ndim else points[None]
    return PointGrid(points, tuple(image.shape[2:]), kernel.kernel_size, padding_mode)
