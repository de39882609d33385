"""The axes of an image resampled by one gather each, in graphs that serve all sizes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from contconv._runtime.shapes import Num
from contconv.engines.weights import padded
from contconv.functional.resize_passes import Pass
from contconv.functional.resize_taps import Repeating
from contconv.functional.rounding import rounded


def resampled_at_once(
    image: Num[Tensor, "*in_shape"], passes: Sequence[Pass]
) -> Num[Tensor, "*out_shape"]:
    """The image after all passes; 8-bit images are rounded after each.

    No loop runs over the taps: their number may be a symbol.
    """
    for dim, weights in passes:
        assert not isinstance(weights, Repeating)
        source, values = padded(weights)
        near = image.index_select(dim, source.flatten()).unflatten(dim, source.shape)
        shape = [1] * near.ndim
        shape[dim : dim + 2] = source.shape
        out = (near * values.view(shape)).sum(dim + 1)
        out = rounded(out) if image.dtype == torch.uint8 else out
        image = out.to(image.dtype)
    return image
