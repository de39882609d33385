"""Origin: how the filter of a discrete layer becomes taps at sub-pixel distances."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from contconv._types import Float


@dataclass(frozen=True)
class Origin:
    """What a layer was made from, so that weights saved of that still fit.

    Args:
        groups: Groups of channels that do not mix.
        transposed: Whether the weight is that of a transposed convolution.
        repeated: By how much the input was enlarged before, nearest pixel, per axis.
        pooled: How many pixels were averaged before, per axis.
        parts: Taps per input pixel, per axis.
        shape: Of the weight.
    """

    groups: int
    transposed: bool
    repeated: tuple[int, ...]
    pooled: tuple[int, ...]
    parts: tuple[int, ...]
    shape: tuple[int, ...]

    def taps(
        self, weight: Tensor, support: Sequence[int]
    ) -> Float[Tensor, "o c *taps"]:
        """The taps in float64, from the lowest to the highest distance.

        Those within the support that the filter does not reach are zero.

        Args:
            weight: Of the layer.
            support: The width of the kernel in input pixels, per axis.
        """
        taps = weight.detach().double()
        if self.transposed:
            taps = taps.unflatten(0, (self.groups, -1)).transpose(1, 2).flatten(0, 1)
        else:
            taps = taps.flip([*range(2, taps.ndim)])
        for dim, (more, fewer) in enumerate(
            zip(self.repeated, self.pooled, strict=True), 2
        ):
            taps = _spread(taps, dim, more)
            taps = taps.repeat_interleave(fewer, dim) / fewer
        triples = zip(taps.shape[2:], support, self.parts, strict=True)
        zeros = [(width * parts - n + 1) // 2 for n, width, parts in triples]
        return torch.nn.functional.pad(taps, [n for z in zeros[::-1] for n in (z, z)])

    def distances(self, axis: int, count: int) -> Float[Tensor, " count"]:
        """The distances of an axis's taps, in input pixels."""
        places = torch.arange(count, dtype=torch.float64) - (count - 1) / 2
        return places / self.parts[axis]


def _spread(taps: Tensor, dim: int, times: int) -> Tensor:
    """Taps on an image whose pixels are repeated, as taps on the image."""
    shape = list(taps.shape)
    shape[dim] += times - 1
    out, size = taps.new_zeros(shape), taps.shape[dim]
    for i in range(times):
        out.narrow(dim, i, size).add_(taps)
    return out
