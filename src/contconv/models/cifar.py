"""BaselineNet and CCNet: the classifiers of the paper's experiments."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import ClassVar

from torch import Tensor, nn

from contconv._grid.ratio import Scale
from contconv._runtime.numberless import has_numbers
from contconv._runtime.shapes import Float
from contconv.kernels import ContinuousKernel
from contconv.kernels.names import learned_class
from contconv.nn import ContinuousConv2d
from contconv.nn.schedules import equal

KernelFactory = Callable[[int, int, tuple[int, int]], ContinuousKernel]

# Rectified linear units halve the mean square of what they are given.
_GAIN = math.sqrt(2)


# What comes after each convolution.
_NORMS: dict[str | None, Callable[[int], tuple[nn.Module, ...]]] = {
    None: lambda channels: (nn.ReLU(),),
    "batch": lambda channels: (nn.BatchNorm2d(channels), nn.ReLU()),
}


class _Classifier(nn.Module):
    """Eight layers of convolutions down to a quarter of the size, then three linear."""

    shrinks: ClassVar[int] = 4

    features: nn.Sequential
    classifier: nn.Sequential

    def __init__(
        self,
        layers: Sequence[nn.Module],
        channels: int,
        hidden: int,
        classes: int,
        norm: str | None,
    ) -> None:
        super().__init__()
        if norm not in _NORMS:
            raise ValueError(f"norm must be one of {tuple(_NORMS)}, got {norm!r}")
        activated = [
            part for layer in layers for part in (layer, *_NORMS[norm](channels))
        ]
        self.features = nn.Sequential(*activated)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * 8 * 8, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )
        for module in (*self.features, *self.classifier):
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                if has_numbers(module.weight):  # else it would load the compiler
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, images: Float[Tensor, "n c 32 32"]) -> Float[Tensor, "n classes"]:
        """The logits; ``features`` gives the last feature map, ``[n, c, 8, 8]``."""
        return self.classifier(self.features(images))


class BaselineNet(_Classifier):
    """The paper's network of ordinary convolutions, for images of 32x32 pixels.

    Eight 3x3 convolutions with strides 1, 2, 1, 1, 1, 1, 1, 2, each with ReLU, then
    three linear layers. ``features`` is the convolutional part.

    Args:
        channels: Channels of every convolution; the paper does not say how many.
        hidden: Width of the linear layers between.
        in_channels: Channels of the images.
        classes: How many there are.
        norm: Normalization after each convolution: ``"batch"``, or none, as in the
            paper.

    Raises:
        ValueError: If the normalization is unknown.

    Example:
        >>> import torch
        >>> BaselineNet(8)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    strides: ClassVar[tuple[int, ...]] = (1, 2, 1, 1, 1, 1, 1, 2)

    def __init__(
        self,
        channels: int = 64,
        *,
        hidden: int = 128,
        in_channels: int = 3,
        classes: int = 10,
        norm: str | None = None,
    ) -> None:
        widths = [in_channels, *[channels] * len(self.strides)]
        layers = [
            nn.Conv2d(before, after, 3, stride=stride, padding=1)
            for before, after, stride in zip(
                widths, widths[1:], self.strides, strict=False
            )
        ]
        super().__init__(layers, channels, hidden, classes, norm)


class CCNet(_Classifier):
    """The paper's network of continuous convolutions, for images of 32x32 pixels.

    As `BaselineNet`, with continuous layers from the second on, which shrink gradually:
    six by the sixth root of 1/4 each, to 26, 21, 17, 14, 12 and 10 pixels, and a last
    one that keeps the scale and cuts the excess of the rounding, to 8. The paper's
    count is ambiguous: seven layers at that scale would give 1/5, not the 1/4 of the
    network that it is compared with.

    Args:
        channels: Channels of every convolution.
        kernel: The kernel of the continuous layers: ``"spline"`` (on 5x5 pixels, with
            as many parameters as 3x3), which learns best in this network; ``"cosine"``
            or ``"mlp"`` (the paper's Internal-Net), on 3x3; or a function of the input
            and output channels and of ``(3, 3)`` that returns a new one, of any size.
        scales: The scales of the seven continuous layers; the last layer gives 8x8
            pixels at any.
        hidden: Width of the linear layers between.
        in_channels: Channels of the images.
        classes: How many there are.
        norm: Normalization after each convolution: ``"batch"``, or none, as in the
            paper.

    Raises:
        ValueError: If the normalization is unknown, or there are not seven scales.

    Example:
        >>> import torch
        >>> CCNet(8)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    layers: ClassVar[int] = 7

    def __init__(
        self,
        channels: int = 64,
        *,
        kernel: str | KernelFactory = "spline",
        scales: Sequence[Scale] | None = None,
        hidden: int = 128,
        in_channels: int = 3,
        classes: int = 10,
        norm: str | None = None,
    ) -> None:
        if scales is None:
            scales = [*equal(self.layers - 1, Fraction(1, self.shrinks)), 1]
        if len(scales) != self.layers:
            raise ValueError(
                f"scales must have one for each of the {self.layers} continuous "
                f"layers, got {len(scales)}"
            )
        first = nn.Conv2d(in_channels, channels, 3, padding=1)
        layers = [_continuous(channels, kernel, scale) for scale in scales]
        layers[-1].size = 8
        super().__init__([first, *layers], channels, hidden, classes, norm)


def _continuous(
    channels: int, kernel: str | KernelFactory, scale: Scale
) -> ContinuousConv2d:
    """A layer whose response keeps the scale of the activations through ReLU."""
    made = kernel if isinstance(kernel, str) else kernel(channels, channels, (3, 3))
    size = (
        learned_class(made).size_for((3, 3))
        if isinstance(made, str)
        else made.kernel_size
    )
    layer = ContinuousConv2d(channels, channels, size, scale=scale, kernel=made)
    reset = getattr(layer.kernel, "reset_parameters", None)
    if reset is not None and isinstance(kernel, str):
        reset(_GAIN)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
