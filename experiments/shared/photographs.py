"""Kernels learned from one photograph: what several experiments share."""

import base64
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from statistics import mean
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contconv import ContinuousConv2d, continuous_conv
from contconv.kernels import ContinuousKernel, CosineKernel, MLPKernel
from experiments.claims.one_photograph import photograph

Scale = tuple[float, float]
Pair = Scale | tuple[float | Fraction, float | Fraction]

WIDTH = 4  # of all kernels here, in pixels

NET = "Internal-Net"

# Learning rates: the cosines are orthogonal, and bear a larger one.
RATES = {NET: 1e-2, "cosines": 3e-2}

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


def cosines(frequencies: int) -> str:
    """What a basis of so many cosines an axis is called."""
    return f"{frequencies} x {frequencies} cosines"


def new_kernel(name: str, widths: tuple[int, ...]) -> ContinuousKernel:
    """A new Internal-Net, or cosines, by name."""
    return internal_net(widths) if name == NET else cosine(int(name.split()[0]))


def new_layer(kernel: ContinuousKernel, engine: str = "auto") -> ContinuousConv2d:
    """The kernel for all three colors."""
    return ContinuousConv2d(
        3,
        3,
        WIDTH,
        groups=3,
        bias=False,
        kernel=kernel,
        padding_mode="replicate",
        engine=engine,
    )


def learning(
    kernel: ContinuousKernel,
    teacher: ContinuousKernel,
    patches: Callable[[], tuple[Tensor, Pair]],
    iterations: int,
    rate: float,
    engine: str = "auto",
) -> Iterator[int]:
    """Fit the kernel to what the teacher makes of each patch at its scale.

    Adam, with a rate that rises to ``rate`` and falls to zero. Yields the iterations
    done so far, from 0 on.
    """
    layer = new_layer(kernel, engine)
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


def learn_at(
    scale: Pair,
    kernel: ContinuousKernel,
    teacher: ContinuousKernel,
    unseen: list[Scale],
    *,
    pixels: int,
    sizes: Sequence[int],
    iterations: int,
    engine: str = "auto",
) -> dict[str, Any]:
    """Learn at one scale; mean square errors there, and at unseen scales.

    Learned from and tested on random squares of `edges`: for the unseen scales one
    each, for the seen one the same squares. Their sizes are drawn, too: where the grid
    of a float scale lies between the pixels depends on the size.
    """
    image = edges(pixels)
    squares = [crop(image, choice(sizes)) for _ in unseen]
    rate = RATES[NET if isinstance(kernel, MLPKernel) else "cosines"]
    deque(
        learning(
            kernel,
            teacher,
            lambda: (crop(image, choice(sizes)), scale),
            iterations,
            rate,
            engine,
        ),
        maxlen=0,
    )
    errors = [
        error(kernel, teacher, square, other)
        for square, other in zip(squares, unseen, strict=True)
    ]
    return {
        "train": mean(error(kernel, teacher, square, scale) for square in squares),
        "unseen": mean(errors),
        "each": [float(f"{value:.4g}") for value in errors],
        "relative_error": relative_error(kernel, teacher),
    }


def rms(runs: list[dict[str, Any]], key: str = "unseen") -> float:
    """Root mean square error of some runs, at unseen scales or in training."""
    return math.sqrt(mean(row[key] for row in runs))


def choice(sizes: Sequence[int]) -> int:
    """One of them, at random."""
    return sizes[int(torch.randint(len(sizes), ()))]


@torch.no_grad()
def error(
    kernel: ContinuousKernel, teacher: ContinuousKernel, image: Tensor, scale: Pair
) -> float:
    """Mean square difference from what the teacher makes, in squared grey levels."""
    difference = _difference(new_layer(kernel), teacher, image, scale)
    return (255 * difference).square().mean().item()


def _difference(
    layer: ContinuousConv2d, teacher: ContinuousKernel, image: Tensor, scale: Pair
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
