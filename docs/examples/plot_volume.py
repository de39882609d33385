"""
A scan with unequal voxels
==========================

Slices 5 mm apart, pixels of 1.25 mm: made into cubes for the eye, or seen by a network
at the spacing that it was trained for.
"""

# %%
# A phantom: a ball and a rod, scanned with thick slices.

from fractions import Fraction

import matplotlib.pyplot as plt
import torch

from contconv import ContinuousConv3d, resize

spacing = [Fraction(text) for text in ("5", "1.25", "1.25")]  # mm: z, y, x


def phantom(spacing: list[Fraction], extent: int = 80) -> torch.Tensor:
    """A ball and a slanted rod in a cube of 80 mm, at a spacing."""
    axes = [torch.arange(0, extent, float(step)) for step in spacing]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    ball = 22 - ((z - 38) ** 2 + (y - 40) ** 2 + (x - 34) ** 2).sqrt()
    rod = 5 - ((y - 60 + z / 2) ** 2 + (x - 64) ** 2).sqrt()
    return (torch.maximum(ball, rod) / 3).clamp(-1, 1)[None, None] / 2 + 0.5


scan = phantom(spacing)
print("scan", tuple(scan.shape[2:]))

# %%
# The scale is the old spacing over the new one. With ``align="first"`` the first voxel
# keeps its place, as the origin in the header of a scan has to.

scales = [step / Fraction("1.25") for step in spacing]
cubes = resize(scan, scale=scales, align="first").clamp(0, 1)
truth = phantom([Fraction("1.25")] * 3)
print("cubes", tuple(cubes.shape[2:]), "of scales", *scales)
depth = min(cubes.shape[2], truth.shape[2]) - 4
error = (cubes - truth)[:, :, :depth].abs().mean()
nearest = resize(scan, scale=scales, kernel="nearest", align="first")
print(f"mean error {error:.4f}; by the nearest slice ", end="")
print(f"{(nearest - truth)[:, :, :depth].abs().mean():.4f}")

fig, axes = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
shown = {"nearest slice": nearest, "cubic": cubes, "truth": truth}
for ax, (name, volume) in zip(axes, shown.items(), strict=True):
    ax.imshow(volume[0, 0, :, 32], cmap="gray", vmin=0, vmax=1)
    ax.set_title(f"{name}: z over x", size=10)
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# Labels take the nearest voxel, and stay labels.

labels = 7 * (scan > 0.5).to(torch.int16)
print(resize(labels, scale=scales, kernel="nearest", align="first").unique().tolist())

# %%
# A network need not be given cubes. Its first layer can take the scan as it is, with a
# kernel as wide in millimetres on each axis, and scales that make the features' voxels
# equal; a scan of another spacing gets other scales, and the same weights.

layer = ContinuousConv3d(1, 8, (3, 5, 5), scale=scales, align="first")
for step in ("5", "2.5"):
    other = [Fraction(step), *spacing[1:]]
    scale = [old / Fraction("1.25") for old in other]
    features = layer(phantom(other), scale=scale)
    print(f"slices of {step} mm: features {tuple(features.shape[2:])}")
