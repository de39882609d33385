"""Residual blocks for the encoder of `SuperResolutionNet`, after published networks.

Each has about as many parameters as the block that the network has.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import relu_
from torch.nn.utils import parametrize

from contconv.models.superres.turns import TURNS

# Branches that are added start small, as those of `ResidualEncoder` do.
_BRANCH = 0.3


class _Pair(nn.Module):
    """Two convolutions, the second of which starts small."""

    def __init__(self, channels: int, middle: int | None = None, used: int = 0) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, middle or channels, 3, padding=1)
        self.second = nn.Conv2d(used or channels, channels, 3, padding=1)
        self.second.weight.data.mul_(_BRANCH)


class Attention(_Pair):
    """Attention without parameters: a branch times the sigmoid of itself (SPAN, 2024).

    Args:
        channels: Channels of the features.
    """

    def forward(self, features: Tensor) -> Tensor:
        branch = self.second(relu_(self.first(features)))
        return features + branch * (2 * branch.sigmoid())


class Gated(_Pair):
    """A gate in place of ReLU: channels times other channels (NAFNet, 2022).

    Args:
        channels: Channels of the features.
    """

    def __init__(self, channels: int) -> None:
        half = round(2 * channels / 3)  # as many parameters as two of all channels
        super().__init__(channels, 2 * half, half)

    def forward(self, features: Tensor) -> Tensor:
        values, gates = self.first(features).chunk(2, 1)
        return features + self.second(values * gates)


class LargeKernel(_Pair):
    """A kernel of 11x11 for each channel of a quarter of them (after ESC, 2025).

    Args:
        channels: Channels of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        few = max(channels // 4, 1)
        self.counts = [few, channels - few]
        self.large = nn.Conv2d(few, few, 11, padding=5, groups=few)
        self.large.weight.data.mul_(_BRANCH)

    def forward(self, features: Tensor) -> Tensor:
        few, others = relu_(self.first(features)).split(self.counts, 1)
        mixed = torch.cat((few + self.large(few), others), 1)
        return features + self.second(mixed)


class Plain(_Pair):
    """The block of `ResidualEncoder`, whose filters may be made of others.

    Args:
        channels: Channels of the features.
        made: Makes a module whose value for a filter is the filter that is used; it is
            folded into one filter when training has ended.
    """

    def __init__(
        self, channels: int, made: Callable[[int], nn.Module] | None = None
    ) -> None:
        super().__init__(channels)
        if made:
            for part in (self.first, self.second):
                parametrize.register_parametrization(part, "weight", made(channels))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.second(relu_(self.first(features)))


class Averaged(nn.Module):
    """The mean of a filter over the eight turns: one that is the same in each."""

    def forward(self, filters: Tensor) -> Tensor:
        return torch.stack([turn.of(filters) for turn in TURNS]).mean(0)


class Product(nn.Module):
    """A filter and the product of three, of 1x1, 3x3 and 1x1 (ECBSR, 2021; SPAN, 2024).

    Args:
        channels: Channels of the features; there are twice as many between.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.before = nn.Parameter(torch.randn(wide, channels) / channels**0.5)
        self.middle = nn.Parameter(torch.randn(wide, wide, 3, 3) / (9 * wide) ** 0.5)
        self.after = nn.Parameter(_BRANCH * torch.randn(channels, wide) / wide**0.5)

    def forward(self, filters: Tensor) -> Tensor:
        wide = torch.einsum("mnij,nc->mcij", self.middle, self.before)
        return filters + torch.einsum("om,mcij->ocij", self.after, wide)


BLOCKS: dict[str, Callable[[int], nn.Module]] = {
    "as it is": Plain,
    "products": lambda channels: Plain(channels, Product),
    "turns averaged": lambda channels: Plain(channels, lambda _: Averaged()),
    "attention": Attention,
    "gates": Gated,
    "large kernels": LargeKernel,
}


def folded(net: nn.Module) -> nn.Module:
    """The network with each filter in place of what it was made of."""
    for module in net.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return net
