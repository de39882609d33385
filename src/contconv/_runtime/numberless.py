"""Tensors that have a shape and no numbers: of the meta device, and fake ones."""

import sys

from torch import Tensor


def has_numbers(tensor: Tensor) -> bool:
    """Whether a tensor has memory, so that its numbers can be drawn and looked at."""
    return not (tensor.is_meta or is_fake(tensor))


def is_fake(tensor: Tensor) -> bool:
    """Whether a tensor is one of FakeTensorMode."""
    module = sys.modules.get("torch._subclasses.fake_tensor")
    return module is not None and isinstance(tensor, module.FakeTensor)
