"""
From 44.1 to 48 kHz, and a layer for any rate
=============================================

A line of samples is an image with one axis. The ratio of the rates is exact, the first
sample stays where it is, and a layer that was trained at one rate can listen to
another.
"""

# %%
# A chirp, 0.2 s from 200 Hz to 16 kHz, at 44.1 kHz.

from fractions import Fraction

import matplotlib.pyplot as plt
import torch

from contconv import ContinuousConv1d, resize
from contconv.kernels import LanczosKernel


def chirp(rate: int, seconds: float = 0.2) -> torch.Tensor:
    """A tone that rises from 200 Hz to 16 kHz."""
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    low, high = 200, 16_000
    phase = low * time + (high - low) * time**2 / (2 * seconds)
    return torch.sin(2 * torch.pi * phase)[None, None]


rate = Fraction(48_000, 44_100)
print("scale", rate)

# %%
# Resampled with kernels of more and more lobes; ``align="first"`` keeps the first
# sample. The error is that against the chirp itself at 48 kHz.

wanted = chirp(48_000)
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for lobes in (3, 16, 64):
    kernel = LanczosKernel(lobes, ndim=1)
    out = resize(chirp(44_100), scale=rate, kernel=kernel, align="first")
    count = min(out.shape[-1], wanted.shape[-1]) - 200
    error = (out[0, 0, :count] - wanted[0, 0, :count]).abs()
    blocks = error[: count // 100 * 100].view(-1, 100).amax(1)
    frequency = torch.linspace(0.2, 16, len(blocks))
    ax.semilogy(frequency, blocks, label=f"{2 * lobes} samples wide")
ax.set(xlabel="frequency, kHz", ylabel="largest error", ylim=(1e-7, 2))
ax.legend(frameon=False)
plt.show()

# %%
# A layer of 1-d filters that shrinks by 3 learns to give what a known filter gives, at
# 16 kHz ...

torch.manual_seed(0)
known = ContinuousConv1d(1, 4, 9, scale=Fraction(1, 3), align="first", bias=False)
layer = ContinuousConv1d(1, 4, 9, scale=Fraction(1, 3), align="first", bias=False)
noise = torch.randn(8, 1, 2000)
optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=50)


def loss() -> float:
    """The difference to the known filters, at the rate of training."""
    optimizer.zero_grad()
    with torch.no_grad():
        goal = known(noise)
    error = (layer(noise) - goal).square().mean()
    error.backward()
    return error.item()


optimizer.step(loss)
print(f"error at 16 kHz: {loss():.1e}")

# %%
# ... and is asked for another rate of its output, with the same weights.

with torch.no_grad():
    for scale in (Fraction(1, 3), Fraction(160, 441)):
        out, goal = (one(noise, scale=scale) for one in (layer, known))
        error = ((out - goal).square().mean() / goal.square().mean()).sqrt()
        print(f"scale {scale}: {tuple(out.shape)}, relative error {error.item():.1e}")
