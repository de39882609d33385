"""Small classifiers at a circular border: as they are, with BlurPool, alias-free."""

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from contconv import ContinuousConv2d, convert
from contconv.kernels import BandlimitedKernel
from contconv.nn import AliasFree

CLASSES = 10
RING: dict[str, Any] = {"padding_mode": "circular"}
# Pixels between the eight layers of the gradual networks, and the strides of others.
SIZES = (32, 32, 26, 20, 16, 14, 12, 10, 8)
STRIDES = (1, 1, 1, 2, 1, 1, 1, 2)

AS_IS, STRIDED, BLURRED, OURS = "as it is", "strides of 2", "BlurPool", "alias-free"


class BlurPool(nn.Module):
    """A binomial filter of 3x3 pixels, of which every second remains (Zhang, 2019)."""

    def forward(self, maps: Tensor) -> Tensor:
        """Maps ``[n, c, h, w]`` of half the size."""
        line = maps.new_tensor([0.25, 0.5, 0.25])
        filters = torch.outer(line, line).expand(maps.shape[1], 1, 3, 3)
        padded = functional.pad(maps, (1, 1, 1, 1), mode="circular")
        return functional.conv2d(padded, filters, stride=2, groups=maps.shape[1])


class Block(nn.Module):
    """A residual block with batch normalization.

    Args:
        before: Channels of the input.
        after: Channels of the output.
        stride: Of its first convolution, and of what goes past both.
        blurred: Whether pixels are left out by `BlurPool`.
    """

    def __init__(self, before: int, after: int, stride: int, blurred: bool) -> None:
        super().__init__()
        own, pools = (1 if blurred else stride), blurred and stride > 1
        self.first = nn.Sequential(
            convolution(before, after, own), nn.BatchNorm2d(after), nn.ReLU()
        )
        self.pool = BlurPool() if pools else nn.Identity()
        self.second = nn.Sequential(convolution(after, after), nn.BatchNorm2d(after))
        past = nn.Conv2d(before, after, 1, own, bias=False)
        self.past = nn.Sequential(BlurPool(), past) if pools else past
        self.last = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        """Maps at the size that the stride leaves."""
        return self.last(self.second(self.pool(self.first(maps))) + self.past(maps))


def convolution(before: int, after: int, stride: int = 1) -> nn.Conv2d:
    """3x3, around the border."""
    return nn.Conv2d(before, after, 3, stride, padding=1, bias=False, **RING)


def residual(way: str, channels: int) -> nn.Module:
    """Features of a residual network of three blocks, the last two of which halve."""
    blurred = way == BLURRED
    net = nn.Sequential(
        convolution(3, channels),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        Block(channels, channels, 1, blurred),
        Block(channels, 2 * channels, 2, blurred),
        Block(2 * channels, 2 * channels, 2, blurred),
    )
    if way == OURS:
        convert(net, antialias=True)
    return net


def gradual(way: str, channels: int) -> nn.Module:
    """Features of eight layers, which shrink by a quarter in all."""
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(itertools.pairwise(SIZES)):
        inputs = channels if i else 3
        layers += _layer(way, inputs, channels, before, after, STRIDES[i])
        layers += [nn.BatchNorm2d(channels)]
        layers += [AliasFree(nn.ReLU(), **RING) if way == OURS else nn.ReLU()]
        if way == BLURRED and STRIDES[i] > 1:
            layers += [BlurPool()]
    return nn.Sequential(*layers)


def _layer(
    way: str, inputs: int, outputs: int, before: int, after: int, stride: int
) -> list[nn.Module]:
    if way in (STRIDED, BLURRED):
        return [convolution(inputs, outputs, stride if way == STRIDED else 1)]
    if before == after:
        return [convolution(inputs, outputs)]
    options = {"size": after, "bias": False, **RING}
    if way == AS_IS:
        return [ContinuousConv2d(inputs, outputs, 5, kernel="spline", **options)]
    own = bandlimited(inputs, outputs, after / before)
    return [ContinuousConv2d(inputs, outputs, own.kernel_size, kernel=own, **options)]


def bandlimited(inputs: int, outputs: int, scale: float) -> BandlimitedKernel:
    """A filter of 3 x 3 taps that is low-passed for a scale."""
    size, cutoff = BandlimitedKernel.low_pass(3, scale)
    return BandlimitedKernel(inputs, outputs, size, taps=3, cutoff=cutoff)


# For each family: its features, the factor from its channels to theirs, and the ways.
Make = Callable[[str, int], nn.Module]
FAMILIES: dict[str, tuple[Make, int, tuple[str, ...]]] = {
    "CC-Net": (gradual, 1, (AS_IS, STRIDED, BLURRED, OURS)),
    "ResNet": (residual, 2, (AS_IS, BLURRED, OURS)),
}


def classifier(family: str, way: str, channels: int) -> nn.Sequential:
    """The features, the mean of their pixels, and a linear layer."""
    make, factor, _ = FAMILIES[family]
    last = nn.Linear(factor * channels, CLASSES)
    mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(make(way, channels), mean, last)
