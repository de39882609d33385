"""
Train at one scale, run at any
==============================

A layer that has learned at a single scale is right at all others, if that scale showed
its kernel enough distances. 1/2 does not; 0.73 does.
"""

# %%
# The task: shrink photographs as cubic resizing without antialiasing does, from one
# photograph and its copy at one scale.

import warnings

import matplotlib.pyplot as plt
import torch
from skimage.data import camera

import contconv
from contconv import ContinuousConv2d, continuous_conv

torch.manual_seed(0)
photo = torch.tensor(camera())[None, None, 60:188, 150:278].float() / 255


def trained(scale: float) -> ContinuousConv2d:
    """A layer that has learned cubic resizing at one scale."""
    kernel = contconv.kernels.CosineKernel(1, 1, (4, 4), frequencies=8)
    layer = ContinuousConv2d(1, 1, 4, scale=scale, kernel=kernel, bias=False)
    wanted = continuous_conv(photo, "cubic", scale=scale)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=60)

    def loss() -> float:
        optimizer.zero_grad()
        error = (layer(photo) - wanted).square().mean()
        error.backward()
        return error.item()

    optimizer.step(loss)
    return layer


# %%
# How many distances does a kernel of 4 x 4 pixels see at these scales? This one has 8
# functions an axis, and 4 or 5 values cannot determine them.

for scale in (1 / 2, 0.73):
    seen = contconv.coverage(scale, 128, kernel_size=4)
    print(f"{scale}: {len(seen[0])} distances along each axis")

# %%
# The layer says so itself when it learns there, once.

with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    layers = {scale: trained(scale) for scale in (1 / 2, 0.73)}
print(heard[0].message)

# %%
# Both, at scales that neither has seen:

scales = torch.linspace(0.3, 2.2, 20).tolist()
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for scale, layer in layers.items():
    errors = []
    for other in scales:
        with torch.no_grad():
            wanted = continuous_conv(photo, "cubic", scale=other)
            difference = layer(photo, scale=other) - wanted
        errors.append(255 * difference.square().mean().sqrt().item())
    ax.semilogy(scales, errors, label=f"trained at {scale}")
    ax.plot(scale, 0.01, "^", color=ax.lines[-1].get_color(), clip_on=False)
ax.set(xlabel="scale", ylabel="error, grey levels", ylim=(0.01, None))
ax.legend(frameon=False)
plt.show()

# %%
# And one picture, enlarged by 1.9 by the layer that has only ever shrunk one:

with torch.no_grad():
    large = {scale: layer(photo, scale=1.9)[0, 0] for scale, layer in layers.items()}
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(photo[0, 0, 20:90, 30:100], cmap="gray", vmin=0, vmax=1)
axes[0].set_title("the photograph", size=10)
for ax, (scale, image) in zip(axes[1:], large.items(), strict=True):
    ax.imshow(image[38:171, 57:190], cmap="gray", vmin=0, vmax=1)
    ax.set_title(f"by 1.9, trained at {scale}", size=10)
for ax in axes:
    ax.set(xticks=[], yticks=[])
plt.show()
