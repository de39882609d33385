"""Whether what was computed can be kept where a NaN times 0 may have got into it."""

from math import isfinite

from torch import Tensor

from contconv._runtime.autograd import has_values


def is_finite(image: Tensor, out: Tensor) -> bool:
    """Whether an output has no NaN that its image lacks; by the smaller of the two.

    It is taken for granted where that cannot be told without waiting for a device.
    """
    if not has_values(image, out) or image.device.type != "cpu":
        return True
    numbers = min(image, out, key=Tensor.numel)
    return isfinite(numbers.detach().sum().item())
