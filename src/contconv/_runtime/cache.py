"""Small tensors that stay the same, kept from call to call.

All of them together take at most `TOTAL` bytes; what was not used for longest goes
first. What cannot be seen to be unchanged is not kept: a value is found again under
constants that say all it depends on, and, where it depends on tensors, too, if their
numbers are still the same.
"""

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from threading import Lock
from typing import Any, NamedTuple, TypeVar
from weakref import ref

import torch
from torch import Tensor, nn

from contconv._runtime.autograd import is_transformed

Value = TypeVar("Value")

# Bytes of all values, with the tensors that some are compared with; and of one of them.
TOTAL, MOST = 256 * 2**20, 128 * 2**20

# Of more numbers than these, values are made anew: they are seldom needed again.
LARGEST = 2**18


class _Entry(NamedTuple):
    value: Any
    tensors: list[Tensor]  # copies of what it was made from
    size: int  # in bytes
    owner: Any = None  # a weak reference: with it goes the entry


class _Entries:
    """What is kept, and how many bytes it takes. Threads may share it."""

    def __init__(self) -> None:
        self.entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self.size = 0
        self.lock = Lock()
        # Filled where the lock may be held already: by the garbage collector.
        self.orphans: deque[Hashable] = deque()

    def find(self, key: Hashable) -> _Entry | None:
        with self.lock:
            self._drop_orphans()
            found = self.entries.get(key)
            if found is not None:
                self.entries.move_to_end(key)
            return found

    def keep(self, key: Hashable, entry: _Entry) -> None:
        with self.lock:
            self._drop_orphans()
            self._drop(key)
            if entry.size > MOST:
                return
            self.entries[key] = entry
            self.size += entry.size
            while self.size > TOTAL:
                self._drop(next(iter(self.entries)))

    def _drop_orphans(self) -> None:
        while self.orphans:
            key = self.orphans.popleft()
            entry = self.entries.get(key)
            if entry is not None and entry.owner is not None and entry.owner() is None:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        old = self.entries.pop(key, None)
        self.size -= 0 if old is None else old.size


_kept = _Entries()

if hasattr(os, "register_at_fork"):
    # A child must not find the lock taken by a thread that it does not have.
    os.register_at_fork(
        before=lambda: _kept.lock.acquire(),
        after_in_parent=lambda: _kept.lock.release(),
        after_in_child=lambda: _kept.lock.release(),
    )


def cached(
    known: Hashable | None,
    use: tuple[Hashable, ...],
    make: Callable[[], Value],
    numbers: int = 0,
) -> Value:
    """What ``make`` returned for this key and use before, or what it returns now.

    It is made anew if the key is not ``known``, and where tensors are no plain ones:
    what a compiler traces, or torch.func transforms.

    Args:
        known: All that the value depends on, but for its use; None if that may change.
        use: The rest.
        make: Makes the value, of tensors, and of tuples and lists of them.
        numbers: About how many it has, and what is used along with it.
    """
    if known is None or numbers > LARGEST or not _are_plain():
        return make()
    key = (known, *use, _stream())
    found = _kept.find(key)
    if found is not None:
        return found.value
    value = _made(make)
    _kept.keep(key, _Entry(value, [], size_of(value)))
    return value


def find(key: Hashable) -> Any:
    """What was kept for a key; None if nothing was."""
    entry = _kept.find(key)
    return None if entry is None else entry.value


def keep(key: Hashable, value: Any, tensors: Any) -> None:
    """Keep a value that holds these tensors, for `find`.

    Args:
        key: All that the value depends on, which never changes.
        value: Whatever is to be found.
        tensors: In tuples and lists, of no more than `LARGEST` numbers.
    """
    size = size_of(tensors)
    if size <= 4 * LARGEST:
        _kept.keep(key, _Entry(value, [], size))


def cached_by_parameters(
    owner: nn.Module,
    key: Hashable,
    tensors: Sequence[Tensor],
    make: Callable[[], Value],
) -> Value:
    """What ``make`` returned before, if the tensors still have the same numbers.

    For calls without gradients, on the CPU. The numbers are compared, with a copy of
    them: who writes to ``parameter.data`` tells nobody.

    Args:
        owner: With it goes what is kept.
        key: All that the value depends on, but for the tensors.
        tensors: The rest.
        make: As for `cached`.
    """
    if not _are_plain() or not all(map(_is_plain, tensors)):
        return make()
    key = (id(owner), key)
    found = _kept.find(key)
    if found is not None and _are_equal(found.tensors, tensors):
        return found.value
    copies = [one.detach().clone() for one in tensors]
    value = _made(make)
    gone = ref(owner, partial(_orphaned, _kept.orphans, key))
    _kept.keep(key, _Entry(value, copies, size_of([value, copies]), gone))
    return value


def _orphaned(orphans: deque[Hashable], key: Hashable, owner: object) -> None:
    orphans.append(key)


def _are_plain() -> bool:
    """Whether tensors hold their numbers by now, and are not tracked."""
    capturing = torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
    return (
        not is_transformed()
        and not torch._C._len_torch_dispatch_stack()
        and not capturing
    )


def _stream() -> Hashable:
    """The queue of the GPU in which values are made: others do not wait for it."""
    return torch.cuda.current_stream() if torch.cuda.is_initialized() else None


def _is_plain(tensor: Tensor) -> bool:
    return type(tensor) in (Tensor, nn.Parameter) and tensor.device.type == "cpu"


def _are_equal(then: Sequence[Tensor], now: Sequence[Tensor]) -> bool:
    return len(then) == len(now) and all(
        a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(then, now, strict=True)
    )


def _made(make: Callable[[], Value]) -> Value:
    # Not as inference tensors, which no later call could learn from.
    with torch.inference_mode(False), torch.no_grad():
        return make()


def size_of(value: Any) -> int:
    """The bytes of the memory behind all tensors of a value; of views, once."""
    sizes, parts = {}, [value]
    while parts:
        part = parts.pop()
        if isinstance(part, Tensor):
            storage = part.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
        elif isinstance(part, (tuple, list)):
            parts += part
    return sum(sizes.values()) + 1024  # for what holds them
