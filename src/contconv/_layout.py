"""The memory format of an image, kept from input to output."""

import torch
from torch import Tensor

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def like_layout(out: Tensor, image: Tensor) -> Tensor:
    """``out`` in channels-last format if ``image`` is, contiguous otherwise."""
    last = image.ndim in _CHANNELS_LAST and image.shape[1] > 1 and image.stride(1) == 1
    if last and not image.is_contiguous():
        return out.contiguous(memory_format=_CHANNELS_LAST[image.ndim])
    return out.contiguous()
