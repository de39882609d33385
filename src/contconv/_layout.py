"""The memory format of an image, kept from input to output."""

import torch
from torch import Tensor

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def is_channels_last(image: Tensor) -> bool:
    """Whether the channels of a pixel lie beside each other, and need not."""
    last = image.ndim in _CHANNELS_LAST and image.shape[1] > 1 and image.stride(1) == 1
    return last and not image.is_contiguous()


def like_layout(out: Tensor, image: Tensor) -> Tensor:
    """``out`` in channels-last format if ``image`` is, contiguous otherwise."""
    if is_channels_last(image):
        return out.contiguous(memory_format=_CHANNELS_LAST[image.ndim])
    return out.contiguous()
