"""Mixed precision: what torch.autocast says, and how to work beneath it."""

from contextlib import AbstractContextManager, nullcontext

import torch


def autocast_dtype(device_type: str) -> torch.dtype | None:
    """The dtype that torch.autocast asks for; None where it is off."""
    if not torch.amp.is_autocast_available(device_type):
        return None
    if not torch.is_autocast_enabled(device_type):
        return None
    return torch.get_autocast_dtype(device_type)


def no_autocast(device_type: str) -> AbstractContextManager[object]:
    """A context in which every operation keeps the dtypes it is given."""
    if autocast_dtype(device_type) is None:
        return nullcontext()
    return torch.autocast(device_type, enabled=False)
