"""
Enlarge a photograph by any factor
==================================

The network that ships, at 2.7 times the size, and at different factors for height and
width.
"""

# %%
# Its weights come with the package; the kernel of its continuous layer knows the scale.

import matplotlib.pyplot as plt
import torch
from skimage.data import chelsea

from contconv import resize
from contconv.metrics import psnr
from contconv.models import superres

network = superres.load().requires_grad_(False)
photo = torch.tensor(chelsea()).permute(2, 0, 1)[None].contiguous().float() / 255
print(sum(p.numel() for p in network.parameters()), "parameters")

# %%
# A part of a photograph, made small by classical resizing and enlarged again: cubic,
# and by the network.

original = photo[..., 50:212, 90:252]
small = resize(original, scale=1 / 2.7).clamp(0, 1)
size = original.shape[2:]
cubic = resize(small, size=size).clamp(0, 1)
large = network(small, size=size).clamp(0, 1)
fig, axes = plt.subplots(1, 4, figsize=(9.5, 2.8), layout="constrained")
rows = {"small": small, "cubic": cubic, "network": large, "original": original}
for ax, (name, image) in zip(axes, rows.items(), strict=True):
    db = (
        f", {psnr(image, original).item():.1f} dB"
        if name in ("cubic", "network")
        else ""
    )
    ax.imshow(image[0].permute(1, 2, 0))
    ax.set_title(f"{name}{db}", size=10)
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# Any factor, one for each axis; or a size.

for options in ({"scale": 1.37}, {"scale": (2, 3.5)}, {"size": (200, 99)}):
    print(options, "->", tuple(network(small, **options).shape[2:]))

# %%
# Photographs do not fit into memory as a whole at any size. ``tiles`` gives the same
# pixels part by part; on the command line ``contconv upscale photo.jpg --scale 2.7``
# does it for files and folders.

whole = network(small, scale=3)[0]
tiles = list(network.tiles(small[0], scale=3, tile=64))
same = all(torch.equal(whole[:, rows, columns], part) for rows, columns, part in tiles)
print(len(tiles), "tiles, the same in every bit:", same)
