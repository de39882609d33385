"""A small classifier whose layers shrink by scales that may be learned."""

from typing import Any

import torch
from torch import Tensor, nn

from contconv import ContinuousConv2d, LearnableScale
from contconv.nn import continuous_layers, scales_of
from experiments.shared.spectral_stride import SpectralStride

Scales = tuple[float, ...]


class Classifier(nn.Module):
    """Continuous layers with batch normalization, the mean of pixels, a linear one."""

    def __init__(
        self, family: str, channels: tuple[int, ...], scales: Scales, learns: bool
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for after, scale in zip(channels, scales, strict=True):
            layers += shrinking(family, before, after, scale, learns)
            layers += [nn.BatchNorm2d(after), nn.ReLU()]
            before = after
        self.features, self.last = nn.Sequential(*layers), nn.Linear(before, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of classes, from ``[n, 3, h, w]``."""
        return self.last(self.features(images).mean((2, 3)))


def shrinking(
    family: str, before: int, after: int, scale: float, learns: bool
) -> list[nn.Module]:
    """A layer of a scale that may be learned, and what its family puts behind it."""
    wide = family in ("antialias", "priced")
    options: dict[str, Any] = {"kernel": "spline", "antialias": wide}
    if family == "spectral":
        pool = SpectralStride(scale, learns)
        return [ContinuousConv2d(before, after, 5, scale=1, **options), pool]
    own: Any = scale
    if learns and wide:
        own = LearnableScale(scale, most=1.0)
    elif learns:
        own = LearnableScale((scale, scale), most=2.0)
    return [ContinuousConv2d(before, after, 5, scale=own, **options)]


def multiply_adds(model: Classifier) -> Tensor:
    """Of the layers that shrink, over those at the size of the image.

    The area of what each layer gives is that of the image times all scales so far.
    """
    area, cost, most = torch.ones(()), torch.zeros(()), 0
    for layer in continuous_layers(model):
        scale = layer.learnable_scale
        assert scale is not None
        weights = layer.kernel.head[..., 0].numel()
        area = area * scale.per_axis(2).prod()
        cost, most = cost + area * weights, most + weights
    return cost / most


def scales_now(model: nn.Module) -> list[list[float]]:
    """Of each layer that shrinks."""
    own = [m for m in model.modules() if isinstance(m, SpectralStride)]
    if own:
        return [m.learnable_scale().tolist() for m in own]
    return [[float(s) for s in scale] for scale in scales_of(model)]
