"""Warps by the library of contconv-native: classical kernels without antialias."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.autograd import gradients_of
from contconv._runtime.shapes import Float
from contconv.engines.native.library import takes
from contconv.engines.native.tables import PADDING_MODES
from contconv.functional.warp.sampler import Sampler
from contconv.kernels import BoxKernel, CubicKernel, LanczosKernel, LinearKernel

# As the library numbers them.
_KERNELS = (BoxKernel, LinearKernel, CubicKernel, LanczosKernel)

# Taps along an axis that it takes.
_MOST_TAPS = 8


def suits_library(image: Tensor, sampler: Sampler, antialias: bool) -> bool:
    """Whether the library can sample the image, and is there."""
    return (
        not antialias
        and type(sampler.kernel) in _KERNELS
        and len(set(sampler.kernel.kernel_size)) == 1
        and max(sampler.counts) <= _MOST_TAPS
        and takes(image)
    )


def warped_in_library(
    image: Float[Tensor, "n c h w"],
    maps: Tensor,
    size: tuple[int, int],
    sampler: Sampler,
    plain: Callable[[Tensor, Tensor], Tensor],
) -> Float[Tensor, "n c oh ow"]:
    """The image through its maps.

    Args:
        image: Float32, bfloat16 or float16.
        maps: One for each image, or one for all.
        size: Pixels of the output.
        sampler: Has the kernel.
        plain: The same by PyTorch's operators, of image and maps: for gradients.
    """
    learns = torch.is_grad_enabled() and (image.requires_grad or maps.requires_grad)
    if learns:
        return _Warped.apply(image, maps, size, sampler, plain)  # type: ignore
    return _warped(image, maps, size, sampler)


def _warped(
    image: Tensor, maps: Tensor, size: tuple[int, int], sampler: Sampler
) -> Tensor:
    kernel, shape = sampler.kernel, image.shape
    planes = image.float().contiguous()
    if len(maps) == 1:
        # The images are so many more channels.
        planes = planes.view(1, -1, *shape[2:])
    out = torch.ops.contconv_native.warp(
        *(planes, maps.contiguous(), *size),
        *(_KERNELS.index(type(kernel)), float(_parameter(kernel))),
        *(kernel.kernel_size[0], sampler.slack),
        PADDING_MODES.index(sampler.padding_mode),
    )
    return out.view(*shape[:2], *size)


def _parameter(kernel: Any) -> float:
    return getattr(kernel, "a", getattr(kernel, "lobes", 0))


class _Warped(torch.autograd.Function):
    @staticmethod
    def forward(image: Tensor, maps: Tensor, *options: Any) -> Tensor:
        size, sampler, _ = options
        return _warped(image, maps, size, sampler)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        image, maps, _, _, ctx.plain = inputs
        ctx.save_for_backward(image, maps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        wanted = ctx.needs_input_grad[:2]
        found = gradients_of(ctx.plain, ctx.saved_tensors, wanted, gradients[0])
        return (*found, None, None, None)
