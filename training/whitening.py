"""A first layer that whitens: its filters are the principal patches of the images."""

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from training.batches import Normalized

SAMPLE = 5000  # images
# Added to the variances: directions in which patches hardly vary are not blown up.
FLOOR = 5e-4


@torch.no_grad()
def whiten(model: nn.Module, images: Normalized) -> None:
    """Let the first convolution begin with whitening filters, and their negatives.

    After "94 % on CIFAR-10 in 3.29 seconds on a single GPU" (Jordan, 2024), where ReLU
    would otherwise lose half of what each says. The layer goes on learning; filters
    beyond twice the pixels of a patch stay as they were.

    Args:
        model: Its first `torch.nn.Conv2d` is changed.
        images: Those that the network will be trained on.

    Raises:
        ValueError: If no such layer takes these images whole.
    """
    channels = images.images.shape[3]
    layer = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if layer is None or layer.groups > 1 or layer.in_channels != channels:
        raise ValueError(
            "whiten changes a first nn.Conv2d that takes all channels of the images, "
            f"{channels}, and the network has {layer or 'none'}; set whiten to False"
        )
    some = images.images[:: max(1, len(images) // SAMPLE)]
    filters = whitening_filters(images.floats(some), layer.kernel_size)
    both = torch.stack([filters, -filters], 1).flatten(0, 1)[: layer.out_channels]
    layer.weight[: len(both)] = both.view(-1, *layer.weight.shape[1:])
    if layer.bias is not None:
        layer.bias[: len(both)] = 0


def whitening_filters(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """Filters ``[m, m]``, of most variance first, whose responses have variance one."""
    height, width = size
    patches = unfold(images.double(), (height, width)).transpose(1, 2).flatten(0, 1)
    patches = patches - patches.mean(0)
    variances, axes = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = axes.T / (variances + FLOOR).sqrt()[:, None]
    return filters.flip(0).to(images.dtype)
