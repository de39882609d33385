"""Small residual networks that learn CIFAR-10 in minutes, and ways to shrink."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from torch import Tensor, nn

from contconv import ContinuousConv2d

# Of each channel's statistics, so much is new at a step: there are few steps.
MOMENTUM = 0.4
# Filters of 2x2 pixels of 3 colours that whiten, and their negatives.
WHITENED = 24

# From so many to so many channels, at half the size, normalized and activated.
Halving = Callable[[int, int], nn.Module]


class SpeedNet(nn.Module):
    """A classifier of three blocks, each of which halves the size.

    After "94 % on CIFAR-10 in 3.29 seconds on a single GPU" (Jordan, 2024): a first
    layer that whitens and does not learn but its bias, blocks of two convolutions with
    batch normalization without factors, GELU, and a linear layer without a bias. In
    each block the second convolution is a residual branch, as in the larger networks
    there.

    Args:
        halving: Makes the first part of a block.
        widths: Channels of the blocks.
        classes: How many there are.
    """

    def __init__(
        self,
        halving: Halving,
        widths: Sequence[int] = (64, 256, 256),
        classes: int = 10,
    ) -> None:
        super().__init__()
        first = nn.Conv2d(3, WHITENED, 2)
        first.weight.requires_grad = False
        inputs = [WHITENED, *widths]
        blocks = [
            _Block(halving(before, after), after)
            for before, after in zip(inputs, widths, strict=False)
        ]
        self.features = nn.Sequential(first, nn.GELU(), *blocks)
        self.classifier = nn.Linear(widths[-1], classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images).amax((2, 3)))


class _Block(nn.Module):
    def __init__(self, halving: nn.Module, channels: int) -> None:
        super().__init__()
        self.halving = halving
        self.branch = nn.Sequential(
            convolution(channels, channels), *_activated(channels)
        )

    def forward(self, input: Tensor) -> Tensor:
        halved = self.halving(input)
        return halved + self.branch(halved)


def _activated(channels: int) -> tuple[nn.Module, nn.Module]:
    norm = nn.BatchNorm2d(channels, momentum=MOMENTUM)
    norm.weight.requires_grad = False
    return norm, nn.GELU()


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3, the first outputs of which begin as the inputs."""
    layer = nn.Conv2d(inputs, outputs, 3, padding="same", bias=False)
    nn.init.dirac_(layer.weight[: min(inputs, outputs)])
    return layer


def pooled(inputs: int, outputs: int) -> nn.Module:
    """A convolution at the full size, and the greatest of each 2x2 pixels."""
    pool = nn.Sequential(convolution(inputs, outputs), nn.MaxPool2d(2))
    return nn.Sequential(pool, *_activated(outputs))


def depthwise(inputs: int, outputs: int) -> nn.Module:
    """A convolution at the full size, and a continuous one of each channel."""
    conv = convolution(inputs, outputs)
    layer = _continuous(outputs, outputs, groups=outputs)
    return nn.Sequential(conv, *_activated(outputs), layer)


def continuous(inputs: int, outputs: int) -> nn.Module:
    """A continuous convolution, which is all that there is."""
    return nn.Sequential(_continuous(inputs, outputs), *_activated(outputs))


def _continuous(inputs: int, outputs: int, groups: int = 1) -> nn.Module:
    return ContinuousConv2d(
        inputs,
        outputs,
        5,
        scale=Fraction(1, 2),
        kernel="spline",
        groups=groups,
        bias=False,
    )
