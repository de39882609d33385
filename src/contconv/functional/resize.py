"""resize: classical resizing, one axis at a time, bit for bit on 8-bit images."""

from math import prod

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import AxisGrid, resized_axes
from contconv._grid.padding import check_padding_mode
from contconv._grid.ratio import Scale, Size
from contconv._runtime.memory import check_fits
from contconv._runtime.memory_format import is_channels_last, like_layout
from contconv._runtime.shapes import Num, no_type_check
from contconv.engines.weights import normalized_weights
from contconv.functional.call import as_kernel
from contconv.functional.conv import apply_kernel
from contconv.functional.resize_passes import Pass, is_inexact, resampled, suits_blocks
from contconv.functional.rounding import rounded
from contconv.kernels import ContinuousKernel, SeparableKernel
from contconv.kernels.base import is_separable


@no_type_check
def resize(
    input: Num[Tensor, "n c *in_shape"],
    *,
    scale: Scale | None = None,
    size: Size | None = None,
    kernel: ContinuousKernel | str = "cubic",
    antialias: bool = True,
    padding_mode: str = "replicate",
) -> Num[Tensor, "n c *out_shape"]:
    """Resize images with a classical kernel.

    Each output pixel is the mean of its neighbors, weighted by the kernel at their
    distances (Eq. 1 and 2, with weights that sum to one), one axis after the other, the
    one with the smallest scale first. On floating-point tensors this is differentiable.
    On ``uint8`` it rounds half up, as if sums were exact, and clips after each axis,
    and so gives every bit of MATLAB's ``imresize`` as the super-resolution benchmarks
    used it (cubic, antialias).

    Args:
        input: ``[n, c, *in]`` with one to three axes, floating-point or ``uint8``. As
            in `torch.nn.functional.interpolate`, three dimensions are a batch of lines:
            pass a photograph ``[3, h, w]`` as ``photo[None]``.
        scale: Output over input pixels, for all axes or for each.
        size: Output pixels, for all axes or for each. `continuous_conv` says how scale
            and size go together; one of them has to be given.
        kernel: ``"box"``, ``"linear"``, ``"cubic"``, ``"lanczos2"``, ``"lanczos3"``,
            ``"gaussian"`` (a standard deviation of half a pixel), or a kernel with a
            single input and output channel.
        antialias: Where an axis shrinks, stretch the kernel by ``1 / scale``, so that
            every input pixel counts.
        padding_mode: What lies outside the input, as in `continuous_conv`.

    Returns:
        ``[n, c, *out]`` in the dtype and the memory format of the input.

    Raises:
        TypeError: If the input is neither floating-point nor ``uint8``.
        ValueError: If neither scale nor size is given, or an argument does not fit.

    Example:
        >>> photo = torch.randint(256, (1, 3, 480, 640), dtype=torch.uint8)
        >>> resize(photo, scale=1 / 3).shape
        torch.Size([1, 3, 160, 214])
    """
    kernel = as_kernel(kernel, input)
    _check_input(input, kernel)
    check_padding_mode(padding_mode)
    if scale is None and size is None:
        raise ValueError("resize needs a scale or a size")
    axes = resized_axes(input.shape[2:], kernel.kernel_size, scale, size, antialias)
    wide = torch.float64 if input.dtype == torch.uint8 else torch.float32
    dtype = torch.promote_types(input.dtype, wide)
    _check_memory(input, axes, dtype)
    if is_separable(kernel) and kernel.head.shape[2] == 1:
        out = _axis_by_axis(input, kernel, AxisGrid(axes, padding_mode), dtype)
    else:
        out = _at_once(input.to(dtype), kernel, AxisGrid(axes, padding_mode))
        out = rounded(out) if input.dtype == torch.uint8 else out
    return like_layout(out.to(input.dtype), input)


def _axis_by_axis(
    image: Tensor, kernel: SeparableKernel, grid: AxisGrid, dtype: torch.dtype
) -> Tensor:
    last = is_channels_last(image)
    pixels = (image.movedim(1, -1) if last else image).contiguous()
    if image.dtype != torch.uint8:
        pixels = pixels.to(dtype)
    if dtype == torch.float32 and image.device.type == "cpu" and is_inexact():
        dtype = torch.float64
    first = 1 if last else 2
    passes = [
        Pass(first + i, normalized_weights(kernel, i, grid, dtype, image.device))
        for i in _order(grid.axes, image.dtype)
    ]
    out = resampled(pixels, passes)
    return out.movedim(-1, 1) if last else out


def _order(axes: tuple[Axis, ...], dtype: torch.dtype) -> list[int]:
    """First the axis that shrinks most; of two that grow alike, the last one.

    MATLAB takes the first one of two alike, and rounds in between.
    """

    def place(i: int) -> tuple[float, int]:
        scale = axes[i].up / axes[i].down
        return scale, -i if scale > 1 and dtype != torch.uint8 else i

    return sorted(range(len(axes)), key=place)


def _at_once(image: Tensor, kernel: ContinuousKernel, grid: AxisGrid) -> Tensor:
    """All axes together, for kernels that are no product of one per axis."""
    out = apply_kernel(image, kernel, grid, 1, "auto")
    ones = image.new_ones(1, 1, *image.shape[2:])
    everywhere = AxisGrid(grid.axes, "replicate")
    return out / apply_kernel(ones, kernel, everywhere, 1, "auto")


def _check_input(input: Tensor, kernel: ContinuousKernel) -> None:
    if not input.is_floating_point() and input.dtype != torch.uint8:
        raise TypeError(
            "input must be a floating-point or uint8 tensor, "
            f"got {input.dtype}; convert it first, for instance with .to(torch.float32)"
        )
    if input.ndim != kernel.ndim + 2 or 0 in input.shape[2:]:
        raise ValueError(
            f"input must be [batch, channels, ...] with {kernel.ndim} more axes of at "
            f"least 1 pixel, got {tuple(input.shape)}"
        )
    if not kernel.is_shared:
        raise ValueError(
            "resize needs a kernel with one input and one output channel, got "
            f"{kernel.head.shape[1]} and {kernel.head.shape[0]}; use continuous_conv"
        )


def _check_memory(input: Tensor, axes: tuple[Axis, ...], dtype: torch.dtype) -> None:
    shape = (*input.shape[:2], *[axis.out_size for axis in axes])
    largest = prod([max(axis.in_size, axis.out_size) for axis in axes])
    if input.dtype == torch.uint8 and all(
        [suits_blocks(input, 2 + i) for i in range(len(axes))]
    ):
        dtype = torch.uint8
    extra = 3 * prod(input.shape[:2]) * largest * dtype.itemsize
    check_fits(shape, input.element_size(), extra, input.device)
