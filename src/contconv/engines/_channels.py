"""Images as pixels whose channels lie together."""

from typing import Any

import torch
from torch import Tensor

from contconv._transforms import is_transformed
from contconv._types import Float

# Rows of such sizes, in bytes, fall onto each other in a cache: reading columns of them
# takes three times as long.
_CLASH = 1024


def channels_last(
    image: Float[Tensor, "n c *in_shape"],
) -> Float[Tensor, "n *in_shape c"]:
    """Really contiguous: a view would make every product slow."""
    pixels = image.movedim(1, -1)
    if pixels.is_contiguous() or is_transformed():
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
        return _Transposed.apply(gradients[0])  # type: ignore
