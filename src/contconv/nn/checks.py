"""Checks of the arguments of layers."""

from typing import Any

from contconv.functional.checks import check_kernel
from contconv.kernels import ContinuousKernel


def check_layer_kernel(
    kernel: Any,
    kernel_size: tuple[int, ...],
    in_channels: int,
    out_channels: int,
    groups: int,
) -> None:
    """Raise unless the kernel has the size and the channels of its layer."""
    if not isinstance(kernel, ContinuousKernel):
        raise TypeError(
            "kernel must be a ContinuousKernel or the name of a learned kernel, "
            f"got {type(kernel).__name__}"
        )
    check_kernel(kernel)
    if kernel.kernel_size != kernel_size:
        raise ValueError(
            f"kernel_size is {kernel_size}, but the kernel has {kernel.kernel_size}; "
            "give both the same"
        )
    have = tuple(kernel.head.shape[:2])
    need = (out_channels, in_channels // groups)
    if have == need:
        return
    if not kernel.is_shared:
        raise ValueError(
            f"the kernel must have {need[0]} output and {need[1]} input channels per "
            f"group, got {have[0]} and {have[1]}"
        )
    if not in_channels == out_channels == groups:
        raise ValueError(
            "a kernel that all channels share needs in_channels, out_channels and "
            f"groups to be equal, got {in_channels}, {out_channels} and {groups}"
        )
