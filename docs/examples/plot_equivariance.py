"""
Do features move with the picture?
==================================

A picture that moves by a pixel, or by part of one, should have features that move as
far. Strides break that; layers that shrink by little, with kernels of splines, keep
most of it.
"""

# %%
# Untrained networks that shrink to a quarter.

import matplotlib.pyplot as plt
import torch
from skimage.data import camera
from torch import nn

from contconv import ContinuousConv2d, resize
from contconv.metrics import shift_equivariance

torch.manual_seed(0)


def strided() -> nn.Module:
    """Two convolutions with a stride of 2."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, padding=1),
    )


def continuous(kernel: str, size: int, layers: int) -> nn.Module:
    """So many layers that share the same scale."""
    scale = 0.25 ** (1 / layers)
    modules: list[nn.Module] = []
    for number in range(layers):
        channels = 16 if number else 1
        options = {"scale": scale, "kernel": kernel}
        modules += [ContinuousConv2d(channels, 16, size, **options), nn.ReLU()]
    return nn.Sequential(*modules[:-1])


networks = {
    "stride of 2, twice": strided(),
    "cosines, 0.5 twice": continuous("cosine", 3, 2),
    "splines, 0.5 twice": continuous("spline", 5, 2),
    "splines, 0.63 three times": continuous("spline", 5, 3),
}

# %%
# How alike are the features of the picture as it is and of the shifted one, shifted
# back? A shift of 1 pixel is a quarter of a pixel of the features.

photo = resize(torch.tensor(camera())[None, None].float() / 255, size=64)
photos = photo.expand(24, -1, -1, -1)  # as many random shifts
shifts = range(1, 5)
fig, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
for name, network in networks.items():
    with torch.no_grad():
        alike = []
        for shift in shifts:
            draws = torch.Generator().manual_seed(0)
            found = shift_equivariance(network, photos, shift, generator=draws)
            alike.append(found.mean().item())
    ax.semilogy(list(shifts), [1 - value for value in alike], "o-", label=name)
    print(f"{name:28}", *(f"{value:.3f}" for value in alike))
ax.set(xlabel="largest shift, pixels", ylabel="1 - similarity", xticks=list(shifts))
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%
# In training the differences grow: `the gallery <../paper/shift_equivariance.html>`_
# has networks trained on CIFAR-10.
