"""Tensors that have a shape and no numbers: of the meta device, and fake ones."""

import sys

from torch import Tensor


def has_numbers(tensor: Tensor) -> bool:
    """Whether a tensor has memory, so that its numbers can be drawn and looked at."""
    module = sys.modules.get("torch._subclasses.fake_tensor")
    fake = module is not None and isinstance(tensor, module.FakeTensor)
    return not (tensor.is_meta or fake)
