"""The memory format of an image, kept from input to output."""

from typing import Any

import torch
from torch import Tensor

from contconv._runtime.autograd import is_batched, is_transformed
from contconv._runtime.shapes import Float

# Rows of such sizes, in bytes, fall onto each other in a cache: reading columns of them
# takes three times as long.
_CLASH = 1024


def channels_last(
    image: Float[Tensor, "n c *in_shape"],
) -> Float[Tensor, "n *in_shape c"]:
    """A contiguous copy with the channels last: of a view, products are slow."""
    pixels = image.movedim(1, -1)
    if is_transformed() or pixels.is_contiguous():
        return pixels.contiguous()
    return _Transposed.apply(image.flatten(2)).view(pixels.shape)  # type: ignore


def transposed(rows: Float[Tensor, "n a b"]) -> Float[Tensor, "n b a"]:
    """The transposed matrices, contiguous, without derivatives."""
    n, a, b = rows.shape
    if rows.stride(1) * rows.element_size() % _CLASH == 0:
        # A copy whose rows lie a little further apart.
        rows = rows.new_empty(n, a, b + 16)[..., :b].copy_(rows)
    return rows.transpose(1, 2).contiguous()


class _Transposed(torch.autograd.Function):
    @staticmethod
    def forward(image: Tensor) -> Tensor:
        return transposed(image)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        if is_batched(gradients[0]):
            return gradients[0].transpose(1, 2).contiguous()
        return _Transposed.apply(gradients[0])  # type: ignore


_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def is_channels_last(image: Tensor) -> bool:
    """Whether the channels of a pixel lie beside each other, and need not.

    In a graph that is exported never: its inputs may come in any format.
    """
    if torch.compiler.is_exporting():
        return False
    last = image.ndim in _CHANNELS_LAST and image.shape[1] > 1 and image.stride(1) == 1
    return last and not image.is_contiguous()


def empty_output(image: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An output of a shape, in the format of the image; what is in it, is not said."""
    if is_channels_last(image):
        return image.new_empty(shape[0], *shape[2:], shape[1]).movedim(-1, 1)
    return image.new_empty(shape)


def like_layout(out: Tensor, image: Tensor) -> Tensor:
    """``out`` in channels-last format if ``image`` is, contiguous otherwise."""
    if is_channels_last(image):
        return out.contiguous(memory_format=_CHANNELS_LAST[image.ndim])
    return out.contiguous()
