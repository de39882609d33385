"""
Find how a picture was turned: registration by warp
===================================================

``warp`` is differentiable in its map, so that a turn, a zoom and a shift can be found
by gradient descent.
"""

# %%
# A picture, and the same one turned by 12 degrees, zoomed and shifted.

import matplotlib.pyplot as plt
import torch
from skimage.data import camera
from torch import Tensor

from contconv import resize, warp

photo = resize(torch.tensor(camera())[None, None].float() / 255, size=64)
centre = torch.tensor([31.5, 31.5])


def as_map(angle: Tensor, zoom: Tensor, shift: Tensor) -> Tensor:
    """The affine map ``[2, 3]`` of a similarity around the centre, in pixels."""
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    turn = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])
    return torch.cat([turn, (centre + shift - turn @ centre)[:, None]], 1)


wanted = [torch.tensor(12.0).deg2rad(), torch.tensor(1.07), torch.tensor([1.6, -1.2])]
moved = warp(photo, "lanczos3", as_map(*wanted))

# %%
# From coarse to fine: blurred pictures first, which have wider valleys. The border,
# where each sees what the other does not, is left out.

angle, zoom = torch.zeros((), requires_grad=True), torch.ones((), requires_grad=True)
shift = torch.zeros(2, requires_grad=True)
found = [angle, zoom, shift]
inner = slice(10, -10)
errors = []
for factor, rate in ((1 / 4, 0.03), (1 / 2, 0.01), (1, 0.003)):
    small = [resize(resize(x, scale=factor), size=64) for x in (photo, moved)]
    rates = [
        {"params": [angle, zoom], "lr": rate},
        {"params": [shift], "lr": 12 * rate},
    ]
    optimizer = torch.optim.Adam(rates)
    for _ in range(30):
        difference = warp(small[0], "cubic", as_map(*found)) - small[1]
        loss = difference[..., inner, inner].square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(loss.item())

degrees = angle.rad2deg().item()
print(f"turn {degrees:.2f} degrees (12), zoom {zoom.item():.4f} (1.07), ", end="")
print("shift", [round(value, 2) for value in shift.tolist()], "([1.6, -1.2])")

# %%
# Before and after.

with torch.no_grad():
    back = warp(photo, "lanczos3", as_map(*found))
fig, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
shown = {
    "the two, before": (photo - moved).abs(),
    "after": (back - moved).abs(),
}
axes[0].semilogy(errors)
axes[0].set(xlabel="step", title="mean square error")
for ax, (name, image) in zip(axes[1:], shown.items(), strict=True):
    ax.imshow(image[0, 0, inner, inner], cmap="gray", vmin=0, vmax=0.3)
    ax.set_title(f"difference: {name}", size=10)
    ax.set(xticks=[], yticks=[])
plt.show()
