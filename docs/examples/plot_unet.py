"""
A U-Net of any size
===================

A U-Net that shrinks by 0.6 a step, on pictures whose sides are no multiples of
anything. Going up, each layer is asked for the size of what it is joined with.
"""

# %%
# The network. ``size=skip.shape[2:]`` is all that it takes: the output is centred on
# the skip connection's grid, whatever the sizes on the way down were.

from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from skimage.data import coins
from skimage.filters import threshold_otsu
from torch import Tensor, nn
from torch.nn import functional as F

from contconv import ContinuousConv2d, resize

torch.manual_seed(0)


class UNet(nn.Module):
    """Shrinks by any scale, and grows back to the sizes that it came from."""

    def __init__(self, scale: float, widths: tuple[int, ...] = (8, 16, 32)) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.first = nn.Conv2d(1, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            ContinuousConv2d(c, o, 5, scale=scale, kernel="spline") for c, o in pairs
        )
        self.up = nn.ModuleList(ContinuousConv2d(o, c, 3) for c, o in reversed(pairs))
        self.join = nn.ModuleList(
            nn.Conv2d(2 * c, c, 3, padding=1) for c, _ in reversed(pairs)
        )
        self.last = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = [self.first(x).relu()]
        for down in self.down:
            skips.append(down(skips[-1]).relu())
        x = skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            skip = skips.pop()
            x = up(x, size=skip.shape[2:]).relu()
            x = join(torch.cat([x, skip], 1)).relu()
        return self.last(x)


network = UNet(scale=0.6)
for size in ((33, 50), (101, 77)):
    print(size, "->", tuple(network(torch.rand(1, 1, *size)).shape[2:]))

# %%
# A task for it: find the coins. The mask for training is a threshold, which the uneven
# light fools in the upper left; the network sees the left half of the picture, at
# random scales.

photo = torch.tensor(coins()).float()[None, None] / 255
mask = (photo > threshold_otsu(coins()) / 255).float()
left = slice(0, 190)

optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
losses = []
for _ in range(40):
    scale = 0.15 + 0.15 * torch.rand(()).item()
    small, wanted = (resize(x[..., left], scale=scale) for x in (photo, mask))
    loss = F.binary_cross_entropy_with_logits(network(small), wanted.clamp(0, 1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.2f} -> {sum(losses[-10:]) / 10:.2f}")

# %%
# The whole picture, at a size of its own: 97 x 123 pixels.

with torch.no_grad():
    whole = resize(photo, size=(97, 123))
    found = network(whole).sigmoid()
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for ax, image, title in zip(axes, (whole, found), ("picture", "found"), strict=True):
    ax.imshow(image[0, 0], cmap="gray", vmin=0, vmax=1)
    ax.set_title(f"{title}, {' x '.join(map(str, image.shape[2:]))}", size=10)
    ax.set(xticks=[], yticks=[])
plt.show()
