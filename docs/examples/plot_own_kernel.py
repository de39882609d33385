"""
A kernel of your own: filters without direction
===============================================

A basis of rings makes a layer whose output turns with the picture, by any angle,
because its filters depend on the length of a distance alone.
"""

# %%
# A kernel is a basis, from distances to a few functions, and a head that mixes them.
# Here the functions are bumps on rings.

import matplotlib.pyplot as plt
import torch
from skimage.data import camera
from torch import Tensor, nn

from contconv import ContinuousConv2d, resize, rotation, warp
from contconv.kernels import ContinuousKernel, initialise_head
from contconv.plots import plot_kernel


class RingKernel(ContinuousKernel):
    """Learned filters that depend on the length of the distance alone."""

    def __init__(self, channels: tuple[int, int], size: int, rings: int = 4) -> None:
        super().__init__((size, size))
        self.radii = torch.linspace(0, 0.8 * size / 2, rings)
        self.head = nn.Parameter(torch.empty(channels[1], channels[0], rings))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        initialise_head(self, gain=3**-0.5)

    def basis(self, distances: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(distances, dim=-1, keepdim=True)
        width = self.kernel_size[0] / 2 / len(self.radii)
        bumps = torch.exp(-(((length - self.radii.to(distances)) / width) ** 2))
        inside = (1 - (2 * length / self.kernel_size[0]) ** 2).clamp(min=0)
        return bumps * inside


# %%
# A layer takes it as an object. Everything that a layer does, it does with it.

torch.manual_seed(0)
rings = ContinuousConv2d(1, 4, 9, kernel=RingKernel((1, 4), 9), bias=False)
usual = ContinuousConv2d(1, 4, 9, bias=False)
figure = plt.figure(figsize=(6, 5), layout="constrained")
plot_kernel(rings, channels=[(output, 0) for output in range(4)], figure=figure)
plt.show()

# %%
# Turn the picture and filter it, or filter and turn: how far are the two apart? Away
# from the corners, in parts of the features' own size.

photo = resize(torch.tensor(camera())[None, None].float() / 255, size=96)
y, x = torch.meshgrid(torch.arange(67) - 33, torch.arange(67) - 33, indexing="ij")
inside = (y**2 + x**2).sqrt() < 24


def turned(image: Tensor, angle: float) -> Tensor:
    """The picture, turned around its centre."""
    return warp(image, "lanczos3", rotation(angle, tuple(image.shape[2:])))


def apart(layer: ContinuousConv2d, angle: float) -> float:
    """Of turning before and after the layer, at a scale of 0.7."""
    with torch.no_grad():
        before = layer(turned(photo, angle), scale=0.7, size=67)[..., inside]
        after = turned(layer(photo, scale=0.7, size=67), angle)[..., inside]
    return ((before - after).square().mean() / after.square().mean()).sqrt().item()


for angle in (15, 45):
    found = f"rings {apart(rings, angle):.3f}, cosines {apart(usual, angle):.3f}"
    print(f"by {angle} degrees: {found}")
