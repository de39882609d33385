"""What people enlarge feature maps with, and how much of a pattern it leaves."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from contconv import ContinuousConv2d
from contconv.kernels import SeparableKernel, initialise_head

Upsample = Callable[[Tensor], Tensor]


class FourierKernel(SeparableKernel):
    """Sines and cosines that are periodic over the support, instead of cosines.

    At every sub-pixel position their values at the pixels add up to zero, those of the
    constant to the same number: no kernel made of them marks a constant.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sequence[int]
    ) -> None:
        super().__init__(kernel_size)
        rank = math.prod(2 * ((width - 1) // 2) + 1 for width in self.kernel_size)
        self.head = nn.Parameter(torch.empty(out_channels, in_channels, rank))
        initialise_head(self)

    def axis_basis(self, distance: Tensor, axis: int) -> Tensor:
        """A constant, and a sine and a cosine of each frequency, orthonormal."""
        width = self.kernel_size[axis]
        functions = [torch.ones_like(distance)]
        for frequency in range(1, (width + 1) // 2):
            angle = 2 * math.pi * frequency * distance / width
            functions += [math.sqrt(2) * angle.cos(), math.sqrt(2) * angle.sin()]
        return torch.stack(functions, -1) / math.sqrt(width)


def transposed_3(inputs: int, outputs: int) -> nn.Module:
    """Width 3 at a stride of 2: the windows overlap unevenly."""
    return nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, 1, bias=False)


def transposed_4(inputs: int, outputs: int) -> nn.Module:
    """Width 4, a multiple of the stride: they overlap evenly."""
    return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)


def shuffle(inputs: int, outputs: int) -> nn.Module:
    """Sub-pixel convolution: a filter for each phase (Shi et al., 2016)."""
    conv = nn.Conv2d(inputs, 4 * outputs, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.PixelShuffle(2))


def shuffle_icnr(inputs: int, outputs: int) -> nn.Module:
    """The same, all phases initialised alike (Aitken et al., 2017)."""
    layer = shuffle(inputs, outputs)
    weight = layer.get_parameter("0.weight")
    with torch.no_grad():
        weight.copy_(weight[::4].repeat_interleave(4, 0))
    return layer


def nearest(inputs: int, outputs: int) -> nn.Module:
    """Nearest neighbor, then a convolution (Odena et al., 2016)."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(nn.Upsample(scale_factor=2), conv)


def bilinear(inputs: int, outputs: int) -> nn.Module:
    """Bilinear interpolation, then a convolution."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), conv)


def cosine(inputs: int, outputs: int) -> nn.Module:
    """A continuous layer with the default kernel."""
    return ContinuousConv2d(inputs, outputs, 3, scale=2, bias=False)


def mlp(inputs: int, outputs: int) -> nn.Module:
    """A continuous layer with the Internal-Net."""
    return ContinuousConv2d(inputs, outputs, 3, scale=2, bias=False, kernel="mlp")


def fourier(inputs: int, outputs: int) -> nn.Module:
    """A continuous layer with a kernel that is periodic over its support."""
    kernel = FourierKernel(inputs, outputs, (3, 3))
    return ContinuousConv2d(inputs, outputs, 3, scale=2, bias=False, kernel=kernel)


UPSAMPLERS: dict[str, Callable[[int, int], nn.Module]] = {
    "transposed 3x3": transposed_3,
    "transposed 4x4": transposed_4,
    "pixel shuffle": shuffle,
    "shuffle ICNR": shuffle_icnr,
    "nearest + conv": nearest,
    "bilinear + conv": bilinear,
    "CC cosine": cosine,
    "CC mlp": mlp,
    "CC Fourier": fourier,
}


def at_scale(layer: nn.Module, scale: float) -> Upsample:
    """The layer at another scale; the others than continuous have only one."""
    if isinstance(layer, ContinuousConv2d):
        return lambda image: layer(image, scale=scale)
    return layer


@torch.no_grad()
def of_constants(
    upsample: Upsample, channels: int, scale: float, pixels: int = 24
) -> Tensor:
    """The output for a constant in each input channel, far from the boundaries."""
    ones = torch.eye(channels)[:, :, None, None].expand(-1, -1, pixels, pixels)
    return _inside(upsample(ones), scale).double()


def constant_pattern(outputs: Tensor) -> float:
    """How uneven constants come out: root mean square deviation, over that of all.

    0 if every output pixel is the same, 1 if their mean is zero. At a whole factor the
    deviation is that between the phases. Means are over channels.
    """
    spread = outputs.var((-2, -1), correction=0).mean()
    return (spread / outputs.square().mean()).sqrt().item()


@torch.no_grad()
def noise_pattern(
    upsample: Upsample, channels: int, scale: float, pixels: int = 16
) -> float:
    """How uneven white noise comes out: deviation of its power over the mean power.

    The power that an output pixel has on average is exact: the sum of the squares of
    what each input pixel alone gives there.
    """
    impulses = torch.eye(channels * pixels**2).view(-1, channels, pixels, pixels)
    power = _inside(upsample(impulses).double().square().sum(0), scale)
    spread = power.var((-2, -1), correction=0).mean()
    return (spread / power.mean((-2, -1)).square().mean()).sqrt().item()


def _inside(outputs: Tensor, scale: float) -> Tensor:
    """Without what padding reaches: 3 input pixels on each side."""
    cut = math.ceil(3 * scale)
    return outputs[..., cut:-cut, cut:-cut]
