"""Images as pixels whose channels lie together."""

from typing import Any

import torch
from torch import Tensor

from contconv._transforms import is_transformed
from contconv._types import Float

# With fewer channels, torch rearranges all pixels at once faster than as matrices.
_FEW = 8


def channels_last(
    image: Float[Tensor, "n c *in_shape"],
) -> Float[Tensor, "n *in_shape c"]:
    """Really contiguous: a view would make every product slow."""
    pixels = image.movedim(1, -1)
    if pixels.is_contiguous() or image.shape[1] < _FEW or is_transformed():
        return pixels.contiguous()
    return _Transposed.apply(image.flatten(2)).view(pixels.shape)  # type: ignore


class _Transposed(torch.autograd.Function):
    @staticmethod
    def forward(image: Tensor) -> Tensor:
        n, c, size = image.shape
        out = image.new_empty(n, size, c)
        # One matrix at a time: torch transposes these four times faster than a batch.
        for one, into in zip(image.contiguous(), out, strict=True):
            into.copy_(one.T)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _Transposed.apply(gradients[0])  # type: ignore
