"""The arguments of a call, one by one: the right kind, or an error that says more."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx

from contconv._runtime.arguments import as_whole, check_dense
from contconv._runtime.autocast import autocast_dtype, no_autocast
from contconv._runtime.autograd import is_transformed
from contconv.kernels import ContinuousKernel
from contconv.kernels.names import classical_kernel

_AXES = {1: "width", 2: "height, width", 3: "depth, height, width"}


def as_kernel(kernel: Any, input: Any) -> ContinuousKernel:
    """The kernel itself, or the classical one of that name with the input's axes."""
    if isinstance(input, fx.Proxy):
        raise TypeError(
            "torch.fx traces layers, not contconv's functions: call one in a module of "
            "your own that the tracer takes for a leaf, or torch.fx.wrap its name"
        )
    check_dense(input, "input")
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
    check_kernel(kernel)
    return kernel


# What the kernels of others had when their basis was looked at.
_looked_at: WeakKeyDictionary[ContinuousKernel, Any] = WeakKeyDictionary()


def check_kernel(kernel: ContinuousKernel) -> None:
    """Raise unless the kernel has a size, a head, and a basis that fits it."""
    if "kernel_size" not in vars(kernel):
        raise TypeError(
            f"kernel has no kernel_size; call super().__init__(kernel_size) in the "
            f"__init__ of {type(kernel).__name__}"
        )
    head: Any = getattr(kernel, "head", None)
    is_floating = isinstance(head, Tensor) and head.is_floating_point()
    if not is_floating or head.ndim != 3:
        got = type(head).__name__
        if isinstance(head, Tensor):
            got = f"{head.dtype} of shape {tuple(head.shape)}"
        raise TypeError(
            "kernel.head must be a floating-point tensor [out_channels, in_channels / "
            f"groups, rank], got {got}; set it in the __init__ of "
            f"{type(kernel).__name__}, for instance to an nn.Parameter"
        )
    check_dense(head, "kernel.head")
    if not (_is_ours(kernel) or head.is_meta or is_transformed()):
        seen = (tuple(head.shape), head.dtype)
        if _looked_at.get(kernel) != seen:
            _check_basis(kernel, head)
            _looked_at[kernel] = seen


def _is_ours(kernel: ContinuousKernel) -> bool:
    return type(kernel).__module__.startswith("contconv.kernels.")


@torch.no_grad()
def _check_basis(kernel: ContinuousKernel, head: Tensor) -> None:
    """Raise unless the basis has the rank and the dtype of the head, at a distance."""
    dtype = torch.promote_types(head.dtype, torch.float32)
    distances = torch.zeros(1, kernel.ndim, dtype=dtype, device=head.device)
    with no_autocast(head.device.type):
        values = kernel.basis(distances)
    expected = (1, head.shape[2])
    if not isinstance(values, Tensor):
        got = type(values).__name__
    elif (tuple(values.shape), values.dtype) != (expected, dtype):
        got = f"{tuple(values.shape)} of {values.dtype}"
    else:
        return
    raise ValueError(
        f"kernel.basis must return {expected} of {dtype} for distances of "
        f"{tuple(distances.shape)} in that dtype: [..., rank], with the rank of "
        f"kernel.head; that of {type(kernel).__name__} returned {got}"
    )


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
        way = "input.float() / 255"
        if input.is_quantized:
            way = "input.dequantize()"
        elif input.is_complex():
            way = "torch.view_as_real(input), or pass .real and .imag each"
        raise TypeError(
            f"input must be a floating-point tensor, got {input.dtype}; convert it "
            f"first, for instance {way}"
        )
    if input.dtype.itemsize < 2:
        raise TypeError(
            "input must be a floating-point tensor of 16 bits or more, got "
            f"{input.dtype}; convert it first, for instance with .to(torch.bfloat16)"
        )
    if kernel.head.is_meta and not input.is_meta and kernel.dtype is None:
        raise ValueError(
            f"input is on {input.device}, but the kernel is on meta; move it with "
            ".to_empty(device=...), it has no numbers to lose"
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
    check_dense(value, name)
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


def check_points(points: Any, input: Tensor, ndim: int) -> None:
    """Raise unless the points are positions for this image, or batch of images."""
    _check_floating(points, "points", input.device)
    batch = input.shape[0] if input.ndim == ndim + 2 else 1
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
