"""
Replace a strided convolution
=============================

A trained network keeps its function when its strided convolutions become continuous
ones, and can then run at other internal scales than the one it was trained at.
"""

# %%
# A network that somebody else has trained; here one of the size of a ResNet-18, with
# random weights.

import time

import matplotlib.pyplot as plt
import torch
from skimage.data import astronaut
from torch import nn

import contconv
from contconv.nn import scales_of

torch.manual_seed(0)


class Block(nn.Module):
    """Two convolutions, and a connection around them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (out + self.shortcut(x)).relu()


widths = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1)]
widths += [(128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
network = nn.Sequential(
    nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
    nn.BatchNorm2d(64),
    nn.ReLU(),
    *[Block(*one) for one in widths],
).eval()

photo = torch.tensor(astronaut()).permute(2, 0, 1)[None].float() / 255
with torch.no_grad():
    before = network(photo)
print(tuple(photo.shape), "->", tuple(before.shape))

# %%
# What would be replaced, and what it would cost: a dry run changes nothing.

print(contconv.convert(network, example=photo, dry_run=True))

# %%
# The kernels pass through the trained taps, so the outputs are the same. An odd filter
# with a stride of 2 looks half a pixel off the centre on an even size; that is kept,
# since the next layers were trained with it (``align="center"`` would not).

start = time.perf_counter()
report = contconv.convert(network)
seconds = time.perf_counter() - start
with torch.no_grad():
    after = network(photo)
difference = (after - before).abs().max() / before.abs().max()
print(f"converted in {seconds:.1f} s, relative difference {difference:.0e}")

# %%
# Now every layer that shrank by half has a scale, which can be another one for a while:
# the same weights, a coarser or a finer look.

scales = scales_of(network)
fig, axes = plt.subplots(1, 4, figsize=(9, 2.7), layout="constrained")
axes[0].imshow(photo[0].permute(1, 2, 0))
axes[0].set_title("the photograph", size=10)
for ax, factor in zip(axes[1:], (0.8, 1, 1.25), strict=True):
    sequence = [[factor * float(s) for s in scale] for scale in scales]
    with torch.no_grad(), contconv.using_scales(network, sequence):
        features = network(photo)
    ax.imshow(features[0].mean(0))
    ax.set_title(
        f"scales x {factor}: {'x'.join(map(str, features.shape[2:]))}", size=10
    )
for ax in axes:
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# A ``state_dict`` that was saved before still loads: its taps become kernels as they
# are read. And all of it can be undone.

network.load_state_dict(network.state_dict())
report.undo()
with torch.no_grad():
    print("undone:", torch.equal(network(photo), before))

# %%
# The paper's networks shrink by little at each layer. :func:`contconv.gradual` replaces
# one layer of scale 1/2 by several that share it; they start untrained.

stem = contconv.gradual(network, 3, lambda name, module: name == "0", dry_run=True)
print(stem)

# %%
# :func:`contconv.describe` says what each continuous layer would do, here of a network
# that only exists on "meta", where nothing is allocated.

plan = contconv.Gradual(64, 128, 3, scale=1 / 2, layers=3, device="meta")
print(contconv.describe(plan, (1, 64, 128, 128)))
