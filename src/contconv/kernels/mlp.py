"""MLPKernel: the paper's Internal-Net, a small network from distances to weights."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from contconv._scale import as_sizes
from contconv._types import Float
from contconv.kernels._base import ContinuousKernel
from contconv.kernels._head import (
    DEFAULT_GAIN,
    initialise_head,
    new_head,
    support_points,
    whiten,
)


class MLPKernel(ContinuousKernel):
    """The Internal-Net (Sec. 3, Fig. 2): 1x1 layers and ReLU on each distance.

    The hidden layers, and a constant for the last bias, are the basis; the last layer
    is the head. Only the width of the last hidden layer enters the large products, so
    the layers before it may be wide.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the support in input pixels, one for each axis.
        widths: Widths of the hidden layers, first to last.
        groups: Groups of channels that do not mix, as in ``nn.Conv2d``.
        device: Where the parameters live.
        dtype: The dtype of the parameters.

    Example:
        >>> kernel = MLPKernel(3, 8, (4, 4), widths=(32, 12))
        >>> kernel(torch.tensor([0.25, -1.5])).shape
        torch.Size([8, 3])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        *,
        widths: Sequence[int] = (64, 16),
        groups: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(kernel_size)
        self.widths = _as_widths(widths)
        sizes = (self.ndim, *self.widths)
        self.layers = nn.ModuleList(
            nn.Linear(fan_in, fan_out, device=device, dtype=dtype)
            for fan_in, fan_out in pairwise(sizes)
        )
        rank = self.widths[-1] + 1
        self.head = new_head(in_channels, out_channels, groups, rank, device, dtype)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, gain: float = DEFAULT_GAIN) -> None:
        """Draw new layers with decorrelated features, and a head of the given gain.

        The first layer's creases cross the support in all directions. Every later layer
        starts from the whitened output of the one before, so that its features differ
        as much as they can. `initialise_head` says what ``gain`` is.
        """
        if self.head.is_meta:
            return
        features = support_points(self).to(self.head.device)
        first = True
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            if first:
                features = _draw_creases(layer, features / self._half_widths(features))
            else:
                features = _draw_decorrelated(layer, features)
            first = False
        initialise_head(self, gain)

    def basis(
        self, distances: Float[Tensor, "*batch ndim"]
    ) -> Float[Tensor, "*batch rank"]:
        """The last hidden layer at ``distances`` (in input pixels), and a constant."""
        features = distances / self._half_widths(distances)
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            features = _relu_layer(layer, features)
        return nn.functional.pad(features, (0, 1), value=1.0)

    def _half_widths(self, like: Tensor) -> Tensor:
        return torch.tensor(self.kernel_size, dtype=like.dtype, device=like.device) / 2


def _as_widths(widths: Any) -> tuple[int, ...]:
    if not isinstance(widths, Sequence):
        raise TypeError(
            "widths must be a sequence with one whole number for each hidden layer, "
            f"such as (64, 16), got {widths!r}"
        )
    if not widths:
        raise ValueError("widths must name at least one hidden layer, got ()")
    return as_sizes(widths, len(widths), "widths")


def _relu_layer(layer: nn.Linear, features: Tensor) -> Tensor:
    weight, bias = layer.weight.to(features.dtype), layer.bias.to(features.dtype)
    return nn.functional.linear(features, weight, bias).relu()


def _draw_creases(layer: nn.Linear, points: Tensor) -> Tensor:
    """Let each crease run through a random point of the support, at any angle."""
    direction = nn.functional.normalize(torch.randn_like(layer.weight.double()), dim=1)
    through = torch.rand_like(direction) * 2 - 1
    layer.weight.copy_(direction)
    layer.bias.copy_(-(direction * through).sum(1))
    return _relu_layer(layer, points)


def _draw_decorrelated(layer: nn.Linear, features: Tensor) -> Tensor:
    """Mix the whitened features by random rotations; unit variance before the ReLU."""
    mean = features.mean(0)
    whitener, _ = whiten(features - mean)
    rotation = torch.randn(
        (layer.out_features, whitener.shape[1]),
        dtype=features.dtype,
        device=features.device,
    )
    if layer.out_features <= whitener.shape[1]:
        rotation = torch.linalg.qr(rotation.T)[0].T
    else:
        rotation = rotation / math.sqrt(whitener.shape[1])
    weight = rotation @ whitener.T
    layer.weight.copy_(weight)
    layer.bias.copy_(-weight @ mean)
    return _relu_layer(layer, features)
