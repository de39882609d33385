"""The steps of a separable convolution, in a given order."""

from collections.abc import Sequence

import torch
from torch import Tensor

from contconv._runtime.shapes import Float
from contconv.engines.separable.plan import HEAD
from contconv.engines.separable.resample import by_bands, by_taps
from contconv.engines.weights import AxisWeights


def run_steps(
    image: Float[Tensor, "n c *in_shape"],
    head: Float[Tensor, "g o i *ranks"],
    axes: Sequence[AxisWeights],
    order: Sequence[int],
    *,
    exact: bool,
) -> Float[Tensor, "n mixed *out_shape"]:
    """The steps in ``order``: axes before the head gain their basis, later ones spend.

    Args:
        image: The pixels.
        head: For each group of channels, with a dimension for the basis of each axis.
        axes: Which inputs each axis reads, and by which weights.
        order: The axes, in the order in which they are resampled, with `HEAD` between.
        exact: Whether each output reads its taps alone: else it reads other pixels,
            too, times zero, several times as fast.
    """
    resample = by_taps if exact else by_bands
    split = list(order).index(HEAD)
    data = image[(..., *[None] * len(axes))]
    for axis in order[:split]:
        data = resample(data, axis, axes[axis], True)
    data = _mixed(data, head, order[:split])
    for axis in order[split + 1 :]:
        data = resample(data, axis, axes[axis], False)
    return data.flatten(1 + len(axes))


def _mixed(data: Tensor, head: Tensor, early: Sequence[int]) -> Tensor:
    """The channels mixed: the basis of early axes is spent, that of others gained."""
    ndim, (groups, _, inputs) = head.ndim - 3, head.shape[:3]
    n, g, i, o, *rest = range(4 + 2 * ndim)
    pixels, ranks = rest[:ndim], rest[ndim:]
    held = [rank for axis, rank in enumerate(ranks) if axis in early]
    gained = [rank for rank in ranks if rank not in held]
    one = [slice(None) if axis in early else 0 for axis in range(ndim)]
    data = data[(..., *one)].unflatten(1, (groups, inputs))
    out = torch.einsum(
        *(data, [n, g, i, *pixels, *held]),
        *(head, [g, o, i, *ranks]),
        [n, g, o, *pixels, *gained],
    )
    # Of one function again, where the basis is spent.
    for axis in sorted(early):
        out = out.unsqueeze(3 + ndim + axis)
    return out.flatten(1, 2)
