"""Kernels learned from one photograph: what several experiments share."""

import base64
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contconv import ContinuousConv2d, continuous_conv
from contconv.kernels import ContinuousKernel, CosineKernel, MLPKernel
from experiments.one_photograph import photograph

Scale = tuple[float, float]

WIDTH = 4  # of all kernels here, in pixels

# Learning rates: the cosines are orthogonal, and bear a larger one.
RATES = {"Internal-Net": 1e-2, "cosines": 3e-2}

# Sampled kernels are stored in these units, as 16-bit whole numbers.
_UNIT = 1e-4


def edges(pixels: int) -> Tensor:
    """The photograph's Laplacian, ``[1, 3, pixels, pixels]``, as strong as itself.

    In a photograph neighbours are alike, so that a wrong kernel hardly shows; in its
    Laplacian they are not.
    """
    image = photograph(pixels + 2)
    laplacian = image.new_tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    filtered = F.conv2d(image.transpose(0, 1), laplacian[None, None]).transpose(0, 1)
    return filtered * (image.std() / filtered.std())


def less_mean(pixels: int) -> Tensor:
    """The photograph less its mean color, ``[1, 3, pixels, pixels]``."""
    image = photograph(pixels)
    return image - image.mean((2, 3), keepdim=True)


def internal_net(widths: tuple[int, ...]) -> MLPKernel:
    """A new Internal-Net, small at first: what training cannot see stays small."""
    kernel = MLPKernel(1, 1, (WIDTH, WIDTH), widths=widths)
    kernel.reset_parameters(0.1)
    return kernel


def cosine(frequencies: int) -> CosineKernel:
    """A new kernel of so many cosines an axis, small at first."""
    kernel = CosineKernel(1, 1, (WIDTH, WIDTH), frequencies=frequencies)
    kernel.reset_parameters(0.1)
    return kernel


def new_layer(kernel: ContinuousKernel) -> ContinuousConv2d:
    """The kernel for all three colors."""
    return ContinuousConv2d(
        3, 3, WIDTH, groups=3, bias=False, kernel=kernel, padding_mode="replicate"
    )


def learning(
    kernel: ContinuousKernel,
    teacher: ContinuousKernel,
    patches: Callable[[], tuple[Tensor, Scale]],
    iterations: int,
    rate: float,
) -> Iterator[int]:
    """Fit the kernel to what the teacher makes of each patch at its scale.

    Adam, with a rate that rises to ``rate`` and falls to zero. Yields the iterations
    done so far, from 0 on.
    """
    layer = new_layer(kernel)
    optimizer = torch.optim.Adam(layer.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, iterations, pct_start=0.05
    )
    yield 0
    for done in range(1, iterations + 1):
        patch, scale = patches()
        optimizer.zero_grad()
        loss = _difference(layer, teacher, patch, scale).square().mean()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield done


def crop(image: Tensor, pixels: int) -> Tensor:
    """A random square of the image."""
    top, left = torch.randint(image.shape[-1] - pixels + 1, (2,)).tolist()
    return image[..., top : top + pixels, left : left + pixels]


def uniform(low: float, high: float) -> Scale:
    """A random scale for each axis."""
    y, x = torch.empty(2).uniform_(low, high).tolist()
    return y, x


@torch.no_grad()
def error(
    kernel: ContinuousKernel, teacher: ContinuousKernel, image: Tensor, scale: Scale
) -> float:
    """Mean square difference from what the teacher makes, in squared grey levels."""
    difference = _difference(new_layer(kernel), teacher, image, scale)
    return (255 * difference).square().mean().item()


def _difference(
    layer: ContinuousConv2d, teacher: ContinuousKernel, image: Tensor, scale: Scale
) -> Tensor:
    with torch.no_grad():
        target = continuous_conv(
            image, teacher, scale=scale, groups=3, padding_mode="replicate"
        )
    return layer(image, scale=scale) - target


@torch.no_grad()
def sampled(kernel: nn.Module, count: int) -> Tensor:
    """The weights over the support, ``[count, count]``."""
    line = ((torch.arange(count) + 0.5) / count - 0.5) * WIDTH
    distances = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)
    return kernel(distances)[..., 0, 0]


def relative_error(kernel: nn.Module, teacher: nn.Module) -> float:
    """The L2 norm of the difference over that of the teacher, at 200 x 200 places."""
    learned, true = sampled(kernel, 200), sampled(teacher, 200)
    return ((learned - true).norm() / true.norm()).item()


def packed(values: Tensor) -> str:
    """A sampled kernel as text, to four digits."""
    whole = (values / _UNIT).round().clamp(-(2**15), 2**15 - 1)
    return base64.b64encode(whole.short().numpy().astype("<i2").tobytes()).decode()


def unpacked(text: str) -> Tensor:
    """The kernel, ``[count, count]``, of what `packed` made."""
    whole = torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.int16)
    return whole.unflatten(0, (round(whole.numel() ** 0.5), -1)) * _UNIT
