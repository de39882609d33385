"""
Features that move with the picture
===================================

Why strides and activations break the equivariance of a network to shifts, and what
``convert(model, antialias=True)`` makes of it.
"""

# %%
# A wave that half as many pixels cannot hold. Every second pixel shows another wave, a
# lower one, and which one depends on where they lie: the dots, of the wave and of the
# same wave moved by one pixel. A low-pass filter leaves nothing of it.

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from contconv import convert, resize
from contconv.kernels import BandlimitedKernel, SincKernel
from contconv.metrics import fractional_shift

pixels = torch.arange(40.0)
fine = torch.linspace(0, 39, 800)
size, cutoff = BandlimitedKernel.low_pass(1, 1 / 2, axes=1)
low_pass = SincKernel(size, cutoff=cutoff, ndim=1)

fig, axes = plt.subplots(1, 2, figsize=(8, 2.6), sharey=True, layout="constrained")
for shift, colour in ((0, "C0"), (1, "C1")):
    wave = torch.cos(torch.pi * 0.85 * (pixels - shift))
    axes[0].plot(fine, torch.cos(torch.pi * 0.85 * (fine - shift)), colour, lw=0.4)
    axes[0].plot(pixels[::2], wave[::2], colour + "o-", ms=3, lw=1.4)
    filtered = resize(wave[None, None], scale=1 / 2, kernel=low_pass)[0, 0]
    axes[1].plot(pixels[::2] + 0.5, filtered, colour + "o-", ms=3, lw=1.4)
axes[0].set(title="every second pixel", xlabel="pixel")
axes[1].set(title="low-passed first", xlabel="pixel", ylim=(-1.3, 1.3))
plt.show()

# %%
# A small residual network, not trained, whose border is circular: nothing leaves the
# picture, so that only aliasing is left.

ring = {"padding": 1, "padding_mode": "circular"}


class Block(nn.Module):
    """A residual block, as of a ResNet."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, **ring)
        self.conv2 = nn.Conv2d(after, after, 3, **ring)
        self.down = nn.Conv2d(before, after, 1, stride)
        self.relu = nn.ReLU()

    def forward(self, x):
        """Two convolutions, and what goes past them."""
        return self.relu(self.conv2(self.relu(self.conv1(x))) + self.down(x))


torch.manual_seed(0)
first = nn.Conv2d(3, 16, 3, **ring)
model = nn.Sequential(
    first, nn.ReLU(), Block(16, 16, 1), Block(16, 24, 2), Block(24, 24, 2)
)
noise = torch.rand(16, 3, 48, 48)
pictures = F.avg_pool2d(F.pad(noise, (1, 1, 1, 1), mode="circular"), 3, 1)

# %%
# The pictures are moved by parts of a pixel, their features are moved back, and
# compared with those of the pictures as they are; what does not vary is left out.


@torch.no_grad()
def similarity(shift: float) -> float:
    """Of what varies in the features, over all pictures."""
    still = model(pictures)
    moved = model(fractional_shift(pictures, shift))
    back = fractional_shift(moved, -shift * still.shape[3] / pictures.shape[3])
    a, b = (
        (maps - maps.mean((2, 3), keepdim=True)).flatten(1) for maps in (still, back)
    )
    return F.cosine_similarity(a, b).mean().item()


shifts = (0.25, 0.5, 1, 1.5, 2, 3, 4)
before = [similarity(shift) for shift in shifts]
report = convert(model, antialias=True)
after = [similarity(shift) for shift in shifts]
print(report)

fig, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
ax.plot(shifts, before, "o-", label="as it was")
ax.plot(shifts, after, "o-", label="convert(model, antialias=True)")
ax.set(xlabel="shift, pixels", ylabel="similarity of what varies", ylim=(None, 1.02))
ax.legend(frameon=False)
plt.show()

# %%
# Layers that shrink kept their filters. `The guide <../equivariance.html>`_ says what
# it costs.
