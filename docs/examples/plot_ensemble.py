"""
Scale ensembles for my network
==============================

One trained network at several internal scales is an ensemble that costs no parameters.
"""

# %%
# A small classifier with strided convolutions, as they are usually written. Its task,
# learned here in some seconds: noisy drawings of bars, at one of eight angles.

import matplotlib.pyplot as plt
import torch
from torch import nn

import contconv
from contconv.nn import scales_of, schedules

torch.manual_seed(0)


def bars(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy images of a bar at one of 8 angles."""
    labels = torch.randint(8, (count,))
    angle = (labels + 0.8 * (torch.rand(count) - 0.5)) * torch.pi / 8
    line = torch.linspace(-1, 1, 24)
    y, x = torch.meshgrid(line, line, indexing="ij")
    shift = 0.5 * (torch.rand(count, 1, 1) - 0.5)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    images = torch.exp(-40 * (x * sin - y * cos + shift) ** 2)
    return (images + 0.9 * torch.randn(count, 24, 24))[:, None], labels


class Classifier(nn.Sequential):
    """Three strided convolutions, the mean over pixels, a linear layer."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, 8),
        )


model = Classifier()
contconv.convert(model, init="fresh", kernel="spline")
last = model[4]
assert isinstance(last, contconv.ContinuousConv2d)
last.size = 3  # lands on the same shape whatever the scales before it are
own = scales_of(model)

# %%
# It learns with scales that change a little at every step. Without that, a network is
# lost at any scales but its own.

optimizer = torch.optim.AdamW(model.parameters(), 4e-3)
for _ in range(250):
    images, labels = bars(48)
    with contconv.using_scales(model, schedules.jittered(own, 0.15)):
        loss = nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %%
# The ensembles: the network as it is, and at scale sequences with the same product.

model.eval()
images, labels = bars(2000)
sequences = [None, *(schedules.jittered(own, 0.25) for _ in range(7))]


def accuracy(network: nn.Module) -> float:
    """Percent of the images."""
    with torch.no_grad():
        return 100 * (network(images).argmax(1) == labels).float().mean().item()


single = [accuracy(contconv.ScaleEnsemble(model, [one])) for one in sequences]
sizes = range(1, 9)
together = [accuracy(contconv.ScaleEnsemble(model, sequences[:n])) for n in sizes]
print(f"alone: {together[0]:.1f} %, eight together: {together[-1]:.1f} %")

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(sizes, together, "o-", label="the first n together")
ax.plot(sizes, single, "x", label="the n-th alone")
ax.set(xlabel="members", ylabel="accuracy, %")
ax.legend(frameon=False)
plt.show()

# %%
# Together they are better than each of them alone, but here hardly better than the
# network as it is. How much is gained depends on the task and on the training; `an
# experiment <../paper/ensembles.html>`_ has measured it on CIFAR-10.
#
# What a scale sequence does to the shapes:

from contconv.plots import plot_shapes

with contconv.using_scales(model, sequences[1]):
    plot_shapes(model, images[:1])
plt.show()
