"""Sums of a basis over the pixels that do not depend on the sub-pixel offset."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from contconv.kernels.b_spline import b_spline
from contconv.kernels.head import pixel_centres

# For each pixel and axis, between which the sums are interpolated. What is left of the
# pattern that a constant gets is less than a hundredth, of volumes two.
_CELLS = {1: 8, 2: 8, 3: 4}


def with_even_sums(
    basis: Callable[[Tensor], Tensor], distances: Tensor, kernel_size: Sequence[int]
) -> Tensor:
    """A basis, less what its sums vary, which B-splines spread over the pixels.

    B-splines sum to one at every offset. At the distances of a pixel in the middle of
    its window, from which sums are counted, the basis is as it was.

    Args:
        basis: From distances ``[..., ndim]`` to functions ``[..., rank]``.
        distances: In input pixels.
        kernel_size: Pixels of the window, for each axis.
    """
    ndim, window = len(kernel_size), pixel_centres(kernel_size, distances)
    cells = _CELLS[ndim]
    # The cells' ends lie as the centres of one pixel more.
    offsets = pixel_centres((cells + 1,) * ndim, distances) / cells
    sums = basis(offsets[:, None] + window).sum(1)
    excess = sums - sums[len(sums) // 2]
    shares, spread = distances.new_ones(1), distances.new_ones(())
    for one, width in zip(distances.unbind(-1), kernel_size, strict=True):
        own = _between(one - (width - 1) / 2, cells)
        shares = (shares[..., :, None] * own[..., None, :]).flatten(-2)
        spread = spread * b_spline(one, min(width - 1, 2))
    return basis(distances) - spread[..., None] * (shares @ excess)


def _between(distance: Tensor, cells: int) -> Tensor:
    """The shares of the cells' ends in what lies between them: ``[..., cells + 1]``.

    A pixel at the very edge of the window lies on both sides of it, half each.
    """
    offset = distance - distance.detach().round()
    ends = torch.arange(cells + 1, dtype=distance.dtype, device=distance.device)
    shares = (1 - ((offset + 0.5) * cells)[..., None].sub(ends).abs()).clamp(min=0)
    at_edge = (offset.abs() == 0.5)[..., None]
    return torch.where(at_edge, (shares + shares.flip(-1)) / 2, shares)
