"""The networks of the study of kernels: one small classifier, many kinds of layers."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from contconv import ContinuousConv2d
from contconv.kernels import (
    ContinuousKernel,
    CosineKernel,
    MLPKernel,
    SeparableKernel,
    SplineKernel,
)
from experiments.shared.candidates import (
    FrequencyConv2d,
    PixelKernel,
    PlainMLPKernel,
    SineKernel,
    SineLayerKernel,
    SplineMLPKernel,
    WindowedKernel,
)
from experiments.shared.upsamplers import FourierKernel

# From channels, number of the layer and size of its output to the layer.
MakeLayer = Callable[[int, int, int], nn.Module]

# Of the layers in the discrete twin that does not resize.
STRIDES = (1, 2, 1, 1)


class Variant(NamedTuple):
    """What the layers of a network are."""

    title: str
    layer: MakeLayer
    family: str  # "conv", "fixed basis", "spline" or "Internal-Net"
    width: float = 1.0  # channels over those of the others, for as many parameters


class Resize(nn.Module):
    """Bilinear resizing to a square."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, input: Tensor) -> Tensor:
        return nn.functional.interpolate(input, (self.size,) * 2, mode="bilinear")


def network(variant: Variant, channels: int, sizes: tuple[int, ...]) -> nn.Module:
    """A strided convolution, the layers to compare, pooling and a linear layer.

    Args:
        variant: What the layers are.
        channels: Channels of all layers, before the variant's own width.
        sizes: Width and height of the output of each layer, ending with 8.
    """
    channels = round(channels * variant.width)
    layers = [nn.Conv2d(3, channels, 3, stride=2, padding=1), nn.ReLU()]
    for number, size in enumerate(sizes):
        layers += [variant.layer(channels, number, size), nn.ReLU()]
    layers += [nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16 * channels, 10)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore


def _strided(channels: int, number: int, size: int) -> nn.Module:
    return nn.Conv2d(channels, channels, 3, stride=STRIDES[number], padding=1)


def _resized(channels: int, number: int, size: int) -> nn.Module:
    return nn.Sequential(Resize(size), nn.Conv2d(channels, channels, 3, padding=1))


def _resized_cosines(width: int) -> MakeLayer:
    def layer(channels: int, number: int, size: int) -> nn.Module:
        return nn.Sequential(
            Resize(size), FrequencyConv2d(channels, channels, width, 3)
        )

    return layer


def _continuous(
    kernel: Callable[..., ContinuousKernel], width: int = 3, **options: object
) -> MakeLayer:
    def layer(channels: int, number: int, size: int) -> nn.Module:
        made = kernel(channels, channels, (width, width), **options)
        # The fastest for training so few channels and pixels with so many images.
        engine = "separable" if isinstance(made, SeparableKernel) else "factored"
        return ContinuousConv2d(
            channels, channels, width, size=size, kernel=made, engine=engine
        )

    return layer


VARIANTS = {
    "conv": Variant("nn.Conv2d, strided", _strided, "conv"),
    "resized": Variant("resize, nn.Conv2d", _resized, "conv"),
    "resized cosines": Variant("resize, discrete cosines", _resized_cosines(3), "conv"),
    "resized wide": Variant(
        "resize, 5x5 of 3x3 discrete cosines", _resized_cosines(5), "conv"
    ),
    "cosine": Variant("cosines, the default", _continuous(CosineKernel), "fixed basis"),
    "pixels": Variant(
        "the same functions, by pixel", _continuous(PixelKernel), "fixed basis"
    ),
    "more": Variant(
        "4x4 cosines, 3/4 of the channels",
        _continuous(CosineKernel, frequencies=4),
        "fixed basis",
        width=3 / 4,
    ),
    "windowed": Variant(
        "windowed cosines, 0 at the edge", _continuous(WindowedKernel), "fixed basis"
    ),
    "sine": Variant("sines, 0 at the edge", _continuous(SineKernel), "fixed basis"),
    "wide": Variant(
        "5x5 pixels, 3x3 cosines",
        _continuous(CosineKernel, 5, frequencies=3),
        "fixed basis",
    ),
    "fourier": Variant(
        "Fourier: periodic over the support", _continuous(FourierKernel), "fixed basis"
    ),
    "fourier 4": Variant(
        "the same, 4x4 pixels, 3x3 functions",
        _continuous(FourierKernel, 4),
        "fixed basis",
    ),
    "linear spline": Variant(
        "linear spline, 4x4 pixels", _continuous(SplineKernel, 4, degree=1), "spline"
    ),
    "spline": Variant(
        "SplineKernel: quadratic, 5x5", _continuous(SplineKernel, 5), "spline"
    ),
    "cubic spline": Variant(
        "cubic spline, 6x6 pixels", _continuous(SplineKernel, 6, degree=3), "spline"
    ),
    "mlp": Variant(
        "MLPKernel (144, 8), the default", _continuous(MLPKernel), "Internal-Net"
    ),
    "mlp deep": Variant(
        "MLPKernel (64, 64, 8)",
        _continuous(MLPKernel, widths=(64, 64, 8)),
        "Internal-Net",
    ),
    "mlp small": Variant(
        "MLPKernel (32, 8)", _continuous(MLPKernel, widths=(32, 8)), "Internal-Net"
    ),
    "sine layer": Variant(
        "sine layer (32, 8)",
        _continuous(SineLayerKernel, widths=(32, 8)),
        "Internal-Net",
    ),
    "mlp spline": Variant(
        "5x5 pixels, starts as splines",
        _continuous(SplineMLPKernel, 5, widths=(256, 9)),
        "Internal-Net",
    ),
    "plain": Variant(
        "plain (32, 8), as nn.Linear starts",
        _continuous(PlainMLPKernel),
        "Internal-Net",
    ),
    "plain calibrated": Variant(
        "plain (32, 8), the head calibrated",
        _continuous(PlainMLPKernel, calibrated=True),
        "Internal-Net",
    ),
}
