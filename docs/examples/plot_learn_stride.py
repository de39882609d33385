"""
Learn the stride
================

A scale can be a parameter. Its gradient goes by way of the distances between output and
input pixels, so it can grow as well as shrink.
"""

# %%
# A zoom is to be found: the layer sees an image, and what the same layer makes of it at
# another scale. Only the scale is learned.

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import interpolate

from contconv import ContinuousConv2d, LearnableScale

torch.manual_seed(0)
image = interpolate(torch.rand(1, 1, 6, 6), size=64, mode="bicubic")
scale = LearnableScale((1.0, 1.0))  # one for each axis; a single number is shared
layer = ContinuousConv2d(1, 1, 5, scale=scale, size=(32, 32), kernel="spline")
print(layer)

# %%
# Splines are zero at the edge of their support. With another kernel the output jumps
# where a pixel comes or goes, and no gradient knows of jumps.

with torch.no_grad():
    wanted = layer(image, scale=(1.4, 0.75), size=(32, 32))
optimizer = torch.optim.Adam(scale.parameters(), 0.02)
way = []
for _ in range(150):
    loss = (layer(image) - wanted).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    way.append([*scale().tolist(), loss.item()])
print("found:", [round(float(s), 3) for s in layer.scale or ()])

# %%

steps = torch.tensor(way)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(steps[:, 0], label="vertical")
left.plot(steps[:, 1], label="horizontal")
left.axhline(1.4, color="C0", ls=":")
left.axhline(0.75, color="C1", ls=":")
left.set(xlabel="step", ylabel="scale")
left.legend(frameon=False)
right.semilogy(steps[:, 2])
right.set(xlabel="step", ylabel="mean square error")
plt.show()

# %%
# In a network, leave ``size`` out: the layer gives ``ceil(scale * in)`` pixels, more as
# the scale grows. ``using_scales`` still sets other scales for a while, and what was
# learned comes back after it. Give the scales a larger learning rate than the weights;
# the gallery's experiment ``learned_scale`` does this on CIFAR-10.

scale = LearnableScale(0.5)
network = ContinuousConv2d(3, 8, 5, scale=scale, kernel="spline")
optimizer = torch.optim.AdamW(
    [
        {"params": network.kernel.parameters()},
        {"params": scale.parameters(), "lr": 2e-2},
    ],
    lr=2e-3,
)
print(tuple(network(torch.rand(1, 3, 64, 48)).shape), network.scale)
