"""The cosines that are orthonormal over a support."""

import math

import torch
from torch import Tensor

from contconv._runtime.shapes import Float


def cosines(
    distance: Float[Tensor, "*batch"], width: int, count: int
) -> Float[Tensor, "*batch count"]:
    """The first ``count`` cosines on a support of ``width`` pixels.

    Each has a mean square of ``1 / width`` over the support, and so a sum of squares of
    1 at the pixels: the rows of the orthonormal cosine transform (DCT-II).
    """
    a = torch.arange(count, dtype=distance.dtype, device=distance.device)
    u = distance[..., None] / width + 0.5
    scale = torch.full_like(a, math.sqrt(2 / width))
    scale[0] = math.sqrt(1 / width)
    return scale * torch.cos(math.pi * a * u)
