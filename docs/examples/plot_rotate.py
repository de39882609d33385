"""Rotate without blur
===================

`contconv.warp` resamples an image through an affine map, a homography or a flow field,
with any kernel of this library. How much detail survives is a matter of the kernel:
here a photograph is turned once around, in 36 steps of 10 degrees.
"""

# %%
# One rotation
# ------------
#
# `contconv.rotation` makes the matrix that turns an image about its centre, from where
# output pixels are to where they look in the input. Coordinates are (y, x), in pixels.

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from skimage import data

from contconv import rotation, warp
from contconv.kernels import LanczosKernel

SIZE = 160
photo = torch.from_numpy(data.camera()).float()[None, None, 60:220, 160:320] / 255
matrix = rotation(10, SIZE)
turned = warp(photo, "lanczos3", matrix)

fig, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, image, title in zip(
    axes, (photo, turned), ("input", "turned by 10 degrees"), strict=True
):
    ax.imshow(image[0, 0].numpy(), cmap="gray", vmin=0, vmax=1)
    ax.set_title(title)
    ax.axis("off")

# %%
# Once around
# -----------
#
# After 36 such steps every pixel is where it was, and what has changed is the error of
# the interpolation, added up. PyTorch's bicubic `torch.nn.functional.grid_sample` makes
# edges ring; longer kernels keep them.


def around(step):
    """The photograph after 36 steps."""
    image = photo
    for _ in range(36):
        image = step(image)
    return image


line = torch.linspace(-1, 1, SIZE)
y, x = torch.meshgrid(line, line, indexing="ij")
grid = (torch.stack([y, x], -1) @ rotation(10, 1)[:, :2].float().T).flip(-1)[None]

results = {
    "grid_sample, bicubic": around(
        lambda image: F.grid_sample(
            image, grid, "bicubic", padding_mode="border", align_corners=True
        )
    )
}
for name, kernel in {
    "warp, cubic": "cubic",
    "warp, Lanczos, 3 lobes": "lanczos3",
    "warp, Lanczos, 5 lobes": LanczosKernel(5),
}.items():
    results[name] = around(
        lambda image, kernel=kernel: warp(
            image, kernel, matrix, padding_mode="replicate"
        )
    )

inside = (y.square() + x.square()).sqrt() < 0.85
fig, axes = plt.subplots(1, 5, figsize=(12, 3), layout="constrained")
for ax, (name, image) in zip(axes, {"input": photo, **results}.items(), strict=True):
    error = (image - photo)[0, 0][inside].square().mean()
    level = "" if name == "input" else f"\n{-10 * error.log10():.1f} dB"
    ax.imshow(image[0, 0, 20:140, 20:140].numpy(), cmap="gray", vmin=0, vmax=1)
    ax.set_title(name + level)
    ax.axis("off")

# %%
# Shrink as you turn
# ------------------
#
# Where a map shrinks, a kernel that reaches a few pixels misses most of them. With
# ``antialias`` it is stretched along the ellipse that the map makes of a circle. Here a
# brick wall lies on the floor, and shrinks without bound towards the horizon, which is
# 8 pixels above the picture.

wall = torch.from_numpy(data.brick()).float()[None, None] / 255
floor = torch.tensor([[0.0, 0.0, 40.0], [5.12, 1.8, -74.24], [0.02, 0.0, 0.16]])
plain, smooth = (
    warp(wall, "cubic", floor, size=(96, 128), padding_mode="symmetric", antialias=on)
    for on in (False, True)
)

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, image, title in zip(
    axes, (plain, smooth), ("cubic", "cubic, antialias"), strict=True
):
    ax.imshow(image[0, 0].numpy(), cmap="gray", vmin=0, vmax=1)
    ax.set_title(title)
    ax.axis("off")

# %%
# An angle that is learned
# ------------------------
#
# Gradients flow to the matrix, and through `contconv.rotation` to the angle: gradient
# descent finds by how much a picture was turned.

target = warp(photo, "cubic", rotation(-7.3, SIZE))
angle = torch.tensor(0.0, requires_grad=True)
optimizer = torch.optim.Adam([angle], lr=0.8, betas=(0.5, 0.9))
way = []
for _ in range(30):
    out = warp(photo, "cubic", rotation(angle, SIZE))
    loss = (out - target)[0, 0][inside].square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    way.append(angle.item())

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(way)
ax.axhline(-7.3, color="grey", ls=":")
ax.set(xlabel="iteration", ylabel="angle, degrees")
plt.show()
