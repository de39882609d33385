"""Warps by the library of contconv-native: classical kernels."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.autograd import gradients_of, is_batched
from contconv._runtime.shapes import Float
from contconv.engines.native.library import takes
from contconv.engines.native.tables import PADDING_MODES
from contconv.functional.warp.footprint_in_library import (
    stretched_gradients,
    stretched_in_library,
)
from contconv.functional.warp.sampler import Sampler
from contconv.functional.warp.transforms import places_of
from contconv.kernels import BoxKernel, CubicKernel, LanczosKernel, LinearKernel

# As the library numbers them.
_KERNELS = (BoxKernel, LinearKernel, CubicKernel, LanczosKernel)

# Taps along an axis that it takes of a kernel that is not stretched.
_MOST_TAPS = 8


def suits_library(image: Tensor, sampler: Sampler, antialias: bool) -> bool:
    """Whether the library can sample the image, and is there."""
    return (
        type(sampler.kernel) in _KERNELS
        and len(set(sampler.kernel.kernel_size)) == 1
        and (antialias or max(sampler.counts) <= _MOST_TAPS)
        and takes(image)
    )


def warped_in_library(
    image: Float[Tensor, "n c h w"],
    maps: Tensor,
    size: tuple[int, int],
    sampler: Sampler,
    antialias: bool,
    plain: Callable[[Tensor, Tensor], Tensor],
) -> Float[Tensor, "n c oh ow"]:
    """The image through its maps.

    Args:
        image: Float32, bfloat16 or float16.
        maps: One for each image, or one for all.
        size: Pixels of the output.
        sampler: Has the kernel.
        antialias: Stretch it where a map shrinks.
        plain: The same by PyTorch's operators, of image and maps: for gradients that
            are differentiated again, or stand for several.
    """
    learns = torch.is_grad_enabled() and (image.requires_grad or maps.requires_grad)
    if learns:
        return _Warped.apply(image, maps, size, sampler, antialias, plain)  # type: ignore
    return _warped(image, maps, size, sampler, antialias)


def _warped(
    image: Tensor,
    maps: Tensor,
    size: tuple[int, int],
    sampler: Sampler,
    antialias: bool,
) -> Tensor:
    planes, options = _planes(image, maps), _options(sampler)
    if antialias:
        out = stretched_in_library(planes, maps, size, sampler, options)
    else:
        given = (planes, maps.contiguous(), *size, *options)
        out = torch.ops.contconv_native.warp(*given)
    return out.view(*image.shape[:2], *size)


def _planes(image: Tensor, maps: Tensor) -> Float[Tensor, "maps planes h w"]:
    """Of one map for all, the images are so many more channels."""
    planes = image.float().contiguous()
    return planes.view(1, -1, *image.shape[2:]) if len(maps) == 1 else planes


def _options(sampler: Sampler) -> tuple[int, float, int, float, int]:
    """The kernel and the padding mode, as the library takes them."""
    kernel = sampler.kernel
    return (
        *(_KERNELS.index(type(kernel)), float(_parameter(kernel))),
        *(kernel.kernel_size[0], sampler.slack),
        PADDING_MODES.index(sampler.padding_mode),
    )


def _parameter(kernel: Any) -> float:
    return getattr(kernel, "a", getattr(kernel, "lobes", 0))


class _Warped(torch.autograd.Function):
    @staticmethod
    def forward(image: Tensor, maps: Tensor, *options: Any) -> Tensor:
        size, sampler, antialias, _ = options
        return _warped(image, maps, size, sampler, antialias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        image, maps, *ctx.options, ctx.plain = inputs
        ctx.save_for_backward(image, maps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        wanted, (gradient,) = ctx.needs_input_grad[:2], gradients
        if torch.is_grad_enabled() or is_batched(gradient):
            found = gradients_of(ctx.plain, ctx.saved_tensors, wanted, gradient)
        else:
            (image, maps), options = ctx.saved_tensors, tuple(ctx.options)
            of_image, of_maps = _gradients(gradient, image, maps, options, wanted)
            if of_image is not None:
                of_image = of_image.view_as(image).to(image.dtype)
            found = of_image, of_maps
        return (*found, None, None, None, None)


def _gradients(
    gradient: Tensor,
    image: Tensor,
    maps: Tensor,
    options: tuple[tuple[int, int], Sampler, bool],
    wanted: tuple[bool, bool],
) -> tuple[Tensor | None, Tensor | None]:
    size, sampler, antialias = options
    pair, own = (_planes(gradient, maps), _planes(image, maps)), _options(sampler)
    if antialias:
        return stretched_gradients(*pair, maps, sampler, own, *wanted)
    of_image, of_places = torch.ops.contconv_native.warp_backward(
        *(*pair, maps.contiguous(), *own, *wanted)
    )
    of_image = of_image if wanted[0] else None
    if not wanted[1]:
        return of_image, None
    # Between maps and places lies next to no work.
    with torch.enable_grad():
        learned = maps.detach().requires_grad_()
        places = torch.stack([places_of(one, size).points for one in learned])
    of_places = of_places.to(places.dtype).view_as(places)
    (of_maps,) = torch.autograd.grad(places, learned, of_places)
    return of_image, of_maps
