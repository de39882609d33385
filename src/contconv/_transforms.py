"""Whether a call is traced or transformed, and has to be plain operations."""

import torch


def is_transformed() -> bool:
    """Whether torch.compile traces the call, or torch.func transforms it.

    Neither follows a custom autograd function, or tensors that are written in place.
    """
    compiled = torch.compiler.is_compiling()
    return compiled or torch._C._are_functorch_transforms_active()
