"""Mixed precision: the dtype of torch.autocast, and a way to switch it off."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def autocast_dtype(input: Tensor) -> torch.dtype | None:
    """The dtype that torch.autocast asks for; None where it is off.

    As torch's own operators, it leaves float64 alone.
    """
    if not _is_on(input.device.type) or input.dtype == torch.float64:
        return None
    return torch.get_autocast_dtype(input.device.type)


def no_autocast(device_type: str) -> AbstractContextManager[object]:
    """A context in which every operation keeps the dtypes it is given."""
    if _is_on(device_type):
        return torch.autocast(device_type, enabled=False)
    return nullcontext()


# Not "meta". Asked once: compilers before PyTorch 2.11 do not follow the question.
_DEVICES = frozenset(
    name
    for name in ("cpu", "cuda", "hpu", "mps", "mtia", "xla", "xpu")
    if torch.amp.is_autocast_available(name)
)


def _is_on(device_type: str) -> bool:
    return device_type in _DEVICES and torch.is_autocast_enabled(device_type)
