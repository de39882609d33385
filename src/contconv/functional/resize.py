"""resize: classical resizing, one axis at a time, bit for bit on 8-bit images."""

from functools import partial
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import AxisGrid, resized_axes
from contconv._grid.padding import check_padding_mode
from contconv._grid.placement import as_placements
from contconv._grid.ratio import Scale, Size
from contconv._runtime.autograd import untraced
from contconv._runtime.cache import cached
from contconv._runtime.memory import check_fits
from contconv._runtime.memory_format import is_channels_last, like_layout
from contconv._runtime.shapes import Shaped, no_type_check
from contconv.engines.weights import normalized_weights
from contconv.functional.checks import as_kernel
from contconv.functional.conv import apply_kernel
from contconv.functional.folding import check_windows, folded
from contconv.functional.nearest import along_axis, nearest_pixels
from contconv.functional.resize_in_library import (
    AnyPlan,
    key_of,
    planned,
    suits_library,
)
from contconv.functional.resize_in_library import resampled as in_library
from contconv.functional.resize_passes import (
    Pass,
    is_inexact,
    pass_order,
    resampled,
    suits_blocks,
)
from contconv.functional.resize_taps import is_long, repeating_weights
from contconv.functional.resize_traced import resampled_at_once
from contconv.functional.rounding import rounded
from contconv.kernels import (
    ContinuousKernel,
    CubicKernel,
    LanczosKernel,
    LinearKernel,
    SeparableKernel,
)
from contconv.kernels.base import is_separable

# How much an axis may shrink with its edge repeated. A line of one pixel along the edge
# shows by how much the mean over an output pixel is missed there: less with "replicate"
# down to 1/5.5 of the size (cubic), less with "symmetric" below.
_MOST_WITH_REPLICATE = 5

# Bytes that each weight of an axis takes while it is made.
_WEIGHT_BYTES = 40

# Kernels that are 1 at their own pixel and 0 at all others.
_INTERPOLATING = (LinearKernel, CubicKernel, LanczosKernel)


@no_type_check
def resize(
    input: Shaped[Tensor, "n c *in_shape"],
    *,
    scale: Scale | None = None,
    size: Size | None = None,
    kernel: ContinuousKernel | str = "cubic",
    antialias: bool = True,
    padding_mode: str | None = None,
    align: str = "center",
) -> Shaped[Tensor, "n c *out_shape"]:
    """Resize images with a classical kernel.

    Each output pixel is the mean of its neighbors, weighted by the kernel at their
    distances (Eq. 1 and 2, with weights that sum to one), one axis after the other, the
    one with the smallest scale first. On floating-point tensors this is differentiable.
    On ``uint8`` it rounds half up, as if sums were exact, and clips after each axis.

    With ``align="edge"``, the cubic kernel and antialias, ``uint8`` images get every
    bit of MATLAB's ``imresize``: of its older releases (in sources of 2006 to 2013)
    with ``padding_mode="replicate"``, of newer ones (R2019a) with ``"symmetric"``. The
    low-resolution images of the super-resolution benchmarks are from the older ones,
    and have whole sizes at scales of 1/2 to 1/4, which the defaults give, too.

    Args:
        input: ``[n, c, *in]`` with one to three axes, floating-point or ``uint8``; any
            dtype for ``kernel="nearest"``. As in `torch.nn.functional.interpolate`,
            three dimensions are a batch of lines: pass a photograph ``[3, h, w]`` as
            ``photo[None]``.
        scale: Output over input pixels, for all axes or for each.
        size: Output pixels, for all axes or for each. `continuous_conv` says how scale
            and size go together; one of them has to be given.
        kernel: ``"box"``, ``"linear"``, ``"cubic"``, ``"lanczos2"``, ``"lanczos3"``,
            ``"sinc"``, ``"gaussian"`` (a standard deviation of half a pixel), or a
            kernel with a single input and output channel. For masks and labels
            ``"nearest"``, which takes the nearest pixel as it is, and of two at the
            same distance the later one; antialias does not matter to it.
        antialias: Where an axis shrinks, stretch the kernel by ``1 / scale``, so that
            every input pixel counts.
        padding_mode: What lies outside the input, as in `continuous_conv`. Unless given
            ``"replicate"``, but ``"symmetric"`` on axes that antialias shrinks to less
            than a fifth: there the pixels on the edge would stand for all that the wide
            kernel covers outside, and a thin dark frame would darken a thumbnail.
        align: Where the output pixels lie: ``"center"``, both extents centred;
            ``"edge"``, the first boundary of the output on that of the input, as
            MATLAB and `torch.nn.functional.interpolate` do with a scale; ``"first"``,
            the first pixel on the first, for audio and grids of points. The first two
            are the same where ``scale * in`` is whole.

    Returns:
        ``[n, c, *out]`` in the dtype and the memory format of the input.

    Raises:
        TypeError: If the input is neither floating-point nor ``uint8``, and the kernel
            another than ``"nearest"``.
        ValueError: If neither scale nor size is given, or an argument does not fit.

    Example:
        >>> photo = torch.randint(256, (1, 3, 480, 640), dtype=torch.uint8)
        >>> resize(photo, scale=1 / 3).shape
        torch.Size([1, 3, 160, 214])
    """
    options = (scale, size, kernel, antialias, padding_mode, align)
    if suits_library(input):
        make = partial(_planned, input, *options)
        plan = cached(key_of(input, *options), ("resize",), make)
        if plan is not None:
            return like_layout(in_library(input, plan), input)
    with untraced():
        call = _checked(input, *options)
    kernel, axes, modes = call.kernel, call.axes, call.modes
    if call.labels:
        return like_layout(nearest_pixels(input, axes, modes), input)
    dtype = _dtype(input)
    if isinstance(kernel, SeparableKernel) and call.is_product:
        out = _axis_by_axis(input, kernel, axes, modes, dtype)
    else:
        mode = "symmetric" if "symmetric" in modes else modes[0]
        out = _at_once(input.to(dtype), kernel, AxisGrid(axes, mode))
        out = rounded(out) if input.dtype == torch.uint8 else out
    return like_layout(out.to(input.dtype), input)


class _Call(NamedTuple):
    """The arguments of a call, checked."""

    kernel: ContinuousKernel
    axes: tuple[Axis, ...]
    modes: list[str]
    labels: bool
    is_product: bool  # of one function per axis


def _checked(
    input: Tensor,
    scale: Scale | None,
    size: Size | None,
    kernel: ContinuousKernel | str,
    antialias: bool,
    padding_mode: str | None,
    align: str,
) -> _Call:
    labels = isinstance(kernel, str) and kernel == "nearest"
    kernel = as_kernel("box" if labels else kernel, input)
    _check_input(input, kernel, labels)
    if padding_mode is not None:
        check_padding_mode(padding_mode)
    if scale is None and size is None:
        raise ValueError("resize needs a scale or a size")
    widths, places = kernel.kernel_size, as_placements(None, kernel.kernel_size, align)
    antialias = antialias and not labels
    axes = resized_axes(input.shape[2:], widths, scale, size, antialias, places)
    modes = [padding_mode or _usual_mode(axis) for axis in axes]
    product = is_separable(kernel) and kernel.head.shape[2] == 1
    if labels:
        _check_memory(input, axes, input.dtype)
        return _Call(kernel, axes, modes, labels, product)
    for together in [[axis] for axis in axes] if product else [axes]:
        check_windows(together)
    _check_memory(input, axes, _dtype(input))
    return _Call(kernel, axes, modes, labels, product)


def _dtype(input: Tensor) -> torch.dtype:
    """In which numbers sums are taken."""
    wide = torch.float64 if input.dtype == torch.uint8 else torch.float32
    return torch.promote_types(input.dtype, wide)


def _planned(input: Tensor, *options: Any) -> AnyPlan | None:
    """What the library does with these arguments; None if that is not for it."""
    call = _checked(input, *options)
    kernel, axes = call.kernel, call.axes
    if call.labels or not (isinstance(kernel, SeparableKernel) and call.is_product):
        return None
    if torch.is_grad_enabled() and any(
        one.requires_grad for one in kernel.parameters()
    ):
        return None
    if any(is_long(input, axes, i) for i in range(len(axes))):
        return None  # whose weights of one period serve all
    copied = [_copies(kernel, axis) for axis in axes]
    return planned(kernel, axes, call.modes, copied, input.dtype)


def _usual_mode(axis: Axis) -> str:
    """What lies outside, unless it is said."""
    small = axis.antialias and _MOST_WITH_REPLICATE * axis.up < axis.down
    return "symmetric" if small else "replicate"


def _axis_by_axis(
    image: Tensor,
    kernel: SeparableKernel,
    axes: tuple[Axis, ...],
    modes: list[str],
    dtype: torch.dtype,
) -> Tensor:
    last = is_channels_last(image)
    pixels = (image.movedim(1, -1) if last else image).contiguous()
    first, passes = 1 if last else 2, []
    order = pass_order(axes, image.dtype)
    for i in [i for i in order if _copies(kernel, axes[i])]:
        pixels = along_axis(pixels, first + i, axes[i], modes[i])
        order.remove(i)
    if image.dtype != torch.uint8:
        pixels = pixels.to(dtype)
    if dtype == torch.float32 and image.device.type == "cpu" and is_inexact():
        dtype = torch.float64
    for i in order:
        grid = AxisGrid(axes, modes[i])
        given, weights = (kernel, i, grid, dtype, image.device), None
        if is_long(image, axes, i):
            weights = repeating_weights(*given)
        weights = weights or folded(normalized_weights(*given))
        passes.append(Pass(first + i, weights))
    traced = torch.compiler.is_compiling()
    out = (resampled_at_once if traced else resampled)(pixels, passes)
    return out.movedim(-1, 1) if last else out


def _copies(kernel: SeparableKernel, axis: Axis) -> bool:
    """Whether an axis takes one pixel for each: what lies beside it is no matter.

    The weights of the others are 0, but for rounded sines, which would let a NaN in.
    """
    compiles = torch.compiler.is_compiling()  # and sizes may be symbols
    return not compiles and type(kernel) in _INTERPOLATING and axis.hits_pixels


def _at_once(image: Tensor, kernel: ContinuousKernel, grid: AxisGrid) -> Tensor:
    """All axes together, for kernels that are no product of one per axis."""
    out = apply_kernel(image, kernel, grid, 1, "auto")
    ones = image.new_ones(1, 1, *image.shape[2:])
    everywhere = AxisGrid(grid.axes, "replicate")
    return out / apply_kernel(ones, kernel, everywhere, 1, "auto")


def _check_input(input: Tensor, kernel: ContinuousKernel, labels: bool) -> None:
    # No sums are taken of floats of 8 bits.
    floats = input.is_floating_point() and input.dtype.itemsize > 1
    if not (labels or floats or input.dtype == torch.uint8):
        raise TypeError(
            "input must be a uint8 tensor or a floating-point one of 16 bits or more, "
            f"got {input.dtype}; "
            "convert it first, for instance with .to(torch.float32), or resize labels "
            'with kernel="nearest"'
        )
    if input.ndim != kernel.ndim + 2 or 0 in input.shape[2:]:
        raise ValueError(
            f"input must be [batch, channels, ...] with {kernel.ndim} more axes of at "
            f"least 1 pixel for a kernel with so many axes, got {tuple(input.shape)}"
            + _axes_hint(input, kernel)
        )
    if not kernel.is_shared:
        raise ValueError(
            "resize needs a kernel with one input and one output channel, got "
            f"{kernel.head.shape[1]} and {kernel.head.shape[0]}; use continuous_conv"
        )


def _axes_hint(input: Tensor, kernel: ContinuousKernel) -> str:
    ndim, name = input.ndim - 2, type(kernel).__name__
    if ndim == kernel.ndim or ndim not in (1, 2, 3):
        return ""
    return f"; for {ndim} make the {name} with ndim={ndim}"


def _check_memory(input: Tensor, axes: tuple[Axis, ...], dtype: torch.dtype) -> None:
    shape = (*input.shape[:2], *[axis.out_size for axis in axes])
    largest = prod([max(axis.in_size, axis.out_size) for axis in axes])
    if input.dtype == torch.uint8 and all(
        [suits_blocks(input, 2 + i) for i in range(len(axes))]
    ):
        dtype = torch.uint8
    extra = 3 * prod(input.shape[:2]) * largest * dtype.itemsize
    extra += max(_WEIGHT_BYTES * axis.out_size * axis.taps for axis in axes)
    check_fits(shape, input.element_size(), extra, input.device)
