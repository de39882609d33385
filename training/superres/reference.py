"""What cubic resizing errs at each scale: by that the loss is measured."""

import math
from collections.abc import Iterable
from fractions import Fraction

import torch
from torch import Tensor

from contconv import resize
from training.superres.photographs import Photographs

_SIDE = 144
# Nearer to 1 all errors are small, and would count too much.
_LEAST = 1.5
_SCALES = (1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)


class CubicError:
    """The mean absolute error of cubic resizing, at any scale.

    Args:
        photographs: Their middles are made small and enlarged again.
    """

    def __init__(self, photographs: Photographs) -> None:
        middles = [_middle(image) for image in photographs]
        self.errors = [_error(middles, scale) for scale in _SCALES]

    def at(self, scale: float) -> float:
        """Of values in 0..1; between the scales that were measured, a power law."""
        scale = min(max(scale, _LEAST), _SCALES[-1])
        after = next(i for i, known in enumerate(_SCALES) if i and scale <= known)
        (low, high), errors = _SCALES[after - 1 : after + 1], self.errors[after - 1 :]
        place = math.log(scale / low) / math.log(high / low)
        return errors[0] ** (1 - place) * errors[1] ** place


def _middle(image: Tensor) -> Tensor:
    tops = [max(0, side - _SIDE) // 2 for side in image.shape[1:]]
    return image[None, :, tops[0] : tops[0] + _SIDE, tops[1] : tops[1] + _SIDE]


def _error(middles: Iterable[Tensor], scale: float) -> float:
    """At least half a grey level: flat pictures tell nothing."""
    errors = []
    for large in middles:
        small = resize(large, scale=1 / Fraction(scale))
        back = resize(small.float(), size=large.shape[2:])
        errors.append((back - large).abs().mean())
    return max(0.5, torch.stack(errors).mean().item()) / 255
