"""Small tensors that stay the same, kept from call to call."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from contconv._runtime.autograd import is_transformed

Value = TypeVar("Value")

# At most so many values, of at most so many numbers each: 64 MiB in float32.
MOST, LARGEST = 64, 2**18

# At most so many values of one module.
MOST_OF_MODULE = 4

_values: OrderedDict[Hashable, Any] = OrderedDict()
_of_modules: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()
_lock = Lock()


def cached(
    known: Hashable | None,
    use: tuple[Hashable, ...],
    make: Callable[[], Value],
    numbers: int = 0,
) -> Value:
    """What ``make`` returned for this key and use before, or what it returns now.

    It is made anew if the key is not ``known``, and where tensors are no plain ones:
    what a compiler traces, or torch.func transforms.
    """
    if known is None or numbers > LARGEST or not _are_plain():
        return make()
    key = (known, *use)
    with _lock:
        if key in _values:
            _values.move_to_end(key)
            return _values[key]
    value = _made(make)
    with _lock:
        _values[key] = value
        if len(_values) > MOST:
            _values.popitem(last=False)
    return value


def cached_by_parameters(
    module: nn.Module, key: Hashable, make: Callable[[], Value]
) -> Value:
    """What ``make`` returned before, if the module still has the same parameters.

    For calls without gradients. The numbers are compared, with a copy of them: who
    writes to ``parameter.data`` tells nobody.
    """
    now = [*module.parameters(), *module.buffers()]
    if not _are_plain() or any(one.device.type != "cpu" for one in now):
        return make()
    with _lock:
        then, values = _of_modules.get(module, ([], {}))
        if not _are_equal(then, now):
            then, values = [one.detach().clone() for one in now], {}
            _of_modules[module] = then, values
        if key in values:
            return values[key]
    value = _made(make)
    with _lock:
        if len(values) >= MOST_OF_MODULE:
            values.clear()
        values[key] = value
    return value


def _are_plain() -> bool:
    return not is_transformed() and not torch._C._len_torch_dispatch_stack()


def _are_equal(then: list[Tensor], now: list[Tensor]) -> bool:
    return len(then) == len(now) and all(
        a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(then, now, strict=True)
    )


def _made(make: Callable[[], Value]) -> Value:
    # Not as inference tensors, which no later call could learn from.
    with torch.inference_mode(False), torch.no_grad():
        return make()
