"""What people use instead: the ordinary ways to an output of the same size."""

from math import ceil
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.cases import Case
from benchmarks.contender import Contender, of_module


class Interpolated(nn.Module):
    """Bilinear `F.interpolate`, then a convolution."""

    def __init__(self, conv: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.conv, self.size = conv, size

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, size=self.size, mode="bilinear"))


class Sampled(nn.Module):
    """`F.grid_sample` at every tap of every output pixel, then a 1 x 1 convolution.

    It is what deformable convolutions compute, with all offsets at zero: as many
    weights as the convolution has, and the same pixels, interpolated bilinearly. The
    grid is made beforehand.
    """

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.grid, self.size = _grid(case), case.out_size
        taps = case.kernel_size**2
        self.mix = nn.Conv2d(case.channels * taps, case.outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        grid = self.grid.expand(len(x), -1, -1, -1)
        sampled = F.grid_sample(x, grid, align_corners=False)
        return self.mix(sampled.view(len(x), -1, *self.size))


def conv(case: Case) -> Contender:
    """`F.conv2d` on an image that has the output's size already."""
    image = _image(case, _before(case, case.out_size))
    return of_module(_conv(case, case.outputs), image, case.backward)


def interpolate_conv(case: Case) -> Contender:
    """`F.interpolate` to the output's size, and the convolution there."""
    module = Interpolated(_conv(case, case.outputs), _before(case, case.out_size))
    return of_module(module, _image(case), case.backward)


def strided(case: Case) -> Contender:
    """`F.conv2d` with a stride of 1 / scale."""
    stride = int(1 / case.ratios[0])
    return of_module(_conv(case, case.outputs, stride), _image(case), case.backward)


def transposed(case: Case) -> Contender:
    """`F.conv_transpose2d` with a stride of the scale."""
    stride, k = int(case.ratios[0]), case.kernel_size
    padding = max(0, ceil((k - stride) / 2))
    sizes: Any = {"padding": padding, "output_padding": stride - k + 2 * padding}
    module = nn.ConvTranspose2d(case.channels, case.outputs, k, stride, **sizes)
    return of_module(module, _image(case), case.backward)


def shuffled(case: Case) -> Contender:
    """A convolution to scale**2 times the channels, then `F.pixel_shuffle`."""
    factor = int(case.ratios[0])
    conv = _conv(case, case.outputs * factor**2)
    module = nn.Sequential(conv, nn.PixelShuffle(factor))
    image = _image(case, _before(case, (case.size,) * 2))
    return of_module(module, image, case.backward)


def sampled(case: Case) -> Contender:
    """`F.grid_sample` at every tap, and a 1 x 1 convolution."""
    return of_module(Sampled(case), _image(case), case.backward)


def sampled_bytes(case: Case) -> int:
    """What `sampled` holds between its two steps."""
    height, width = case.out_size
    return 4 * case.batch * case.channels * case.kernel_size**2 * height * width


def _conv(case: Case, outputs: int, stride: int = 1) -> nn.Conv2d:
    k, groups = case.kernel_size, case.groups
    padding = (k - 1) // 2
    return nn.Conv2d(case.channels, outputs, k, stride, padding=padding, groups=groups)


def _before(case: Case, size: tuple[int, ...]) -> tuple[int, int]:
    """An even kernel takes a pixel more, for an output of the same size."""
    more = 1 - case.kernel_size % 2
    return size[0] + more, size[1] + more


def _image(case: Case, size: tuple[int, int] | None = None) -> Tensor:
    shape = (case.batch, case.channels, *(size or (case.size,) * 2))
    return torch.randn(shape, dtype=getattr(torch, case.dtype))


def _grid(case: Case) -> Tensor:
    """Where each tap of each output pixel falls: ``[1, taps * height, width, 2]``."""
    y, x = (
        _positions(case, out, float(ratio))
        for out, ratio in zip(case.out_size, case.ratios, strict=True)
    )
    k = case.kernel_size
    y = y[:, None, :, None].expand(k, k, -1, case.out_size[1])
    x = x[None, :, None, :].expand(k, k, case.out_size[0], -1)
    return torch.stack([x, y], -1).reshape(1, -1, case.out_size[1], 2)


def _positions(case: Case, out: int, scale: float) -> Tensor:
    """Eq. 2 and the taps around it, from -1 to 1 as `F.grid_sample` counts."""
    centre = torch.arange(out) - (out - 1) / 2
    taps = torch.arange(case.kernel_size) - (case.kernel_size - 1) / 2
    return 2 * (centre / scale + taps[:, None]) / case.size
