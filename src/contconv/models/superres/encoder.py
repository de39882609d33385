"""ResidualEncoder: features of an image, at its own size."""

from torch import Tensor, nn
from torch.nn.functional import relu_

from contconv._runtime.arguments import as_whole
from contconv._runtime.autocast import autocast_dtype, no_autocast
from contconv._runtime.shapes import Float

# Branches that are added start small, so that deep stacks train from the first step.
_BRANCH = 0.3


class ResidualEncoder(nn.Module):
    """The encoder of EDSR: residual blocks without normalization.

    A 3x3 convolution, blocks of two with ReLU between them, one more, and a connection
    around all of them (Lim et al., "Enhanced Deep Residual Networks for Single Image
    Super-Resolution", 2017; 16 blocks of 64 channels are its baseline).

    Args:
        channels: Channels of every convolution.
        blocks: How many residual blocks there are.
        in_channels: Channels of the images.

    Raises:
        TypeError, ValueError: If a number is no whole number of at least 1.

    Example:
        >>> import torch
        >>> ResidualEncoder(8, 2)(torch.rand(1, 3, 12, 10)).shape
        torch.Size([1, 8, 12, 10])
    """

    def __init__(self, channels: int, blocks: int, *, in_channels: int = 3) -> None:
        super().__init__()
        as_whole(channels, "channels")
        as_whole(blocks, "blocks")
        self.channels = channels
        self.first = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.blocks = nn.Sequential(*[_Block(channels) for _ in range(blocks)])
        self.last = nn.Conv2d(channels, channels, 3, padding=1)

    @property
    def reach(self) -> int:
        """How far away a pixel can be that a feature depends on."""
        return 2 * len(self.blocks) + 2

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f h w"]:
        """Features of images whose values lie in 0..1.

        Under `torch.autocast`, all but the first layer is in lower precision: how
        oneDNN adds up so few channels in bfloat16 depends on the size.
        """
        with no_autocast(images.device.type):
            shallow = self.first(images - 0.5)
        # What is added to each other has one dtype: else each sum is slow.
        shallow = shallow.to(autocast_dtype(images) or images.dtype)
        return self.last(self.blocks(shallow)).add_(shallow)


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.second.weight.data.mul_(_BRANCH)

    def forward(self, features: Tensor) -> Tensor:
        return self.second(relu_(self.first(features))).add_(features)
