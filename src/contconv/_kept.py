"""Small constant tensors, kept from call to call."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

import torch

from contconv._transforms import is_transformed

Value = TypeVar("Value")

# At most so many values, of at most so many numbers each: 64 MiB in float32.
MOST, LARGEST = 64, 2**18

_values: OrderedDict[Hashable, Any] = OrderedDict()
_lock = Lock()


def kept(key: Hashable, make: Callable[[], Value], numbers: int) -> Value:
    """What ``make`` returned for this key before, or what it returns now.

    Only where tensors are plain ones: what a compiler traces, or torch.func transforms,
    is made anew.
    """
    if numbers > LARGEST or is_transformed() or torch._C._len_torch_dispatch_stack():
        return make()
    with _lock:
        if key in _values:
            _values.move_to_end(key)
            return _values[key]
    # Not as inference tensors, which no later call could learn from.
    with torch.inference_mode(False), torch.no_grad():
        value = make()
    with _lock:
        _values[key] = value
        if len(_values) > MOST:
            _values.popitem(last=False)
    return value
