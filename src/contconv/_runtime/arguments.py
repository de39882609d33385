"""Arguments of users, checked: whole numbers, one per axis, floating tensors."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.text import whole_text

_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def per_axis(value: Any, ndim: int, name: str) -> tuple[Any, ...]:
    """``value`` once per axis: a single value is repeated, a sequence must fit."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        return (value,) * ndim
    if len(value) != ndim:
        raise ValueError(
            f"{name} must be one value or one for each of the {ndim} axes, "
            f"got {len(value)}: {tuple(value)}"
        )
    return tuple(value)


def as_whole(value: Any, name: str) -> int:
    """A whole number of at least 1; ``name`` is what errors call it."""
    if isinstance(value, torch.SymInt):
        return value  # type: ignore  # of a graph that is being exported
    if isinstance(value, Tensor) and value.ndim == 0 and value.dtype in _WHOLE:
        value = int(value)  # as torch.jit.trace gives the sizes of images
    if isinstance(value, bool) or not isinstance(value, Integral):
        way = f"; pass {name}.tolist()" if getattr(value, "ndim", 0) else ""
        raise TypeError(
            f"{name} must be a whole number, got {value!r} ({type(value).__name__})"
            f"{way}"
        )
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {whole_text(int(value))}")
    return _below_64_bits(value, name)


def as_sizes(size: Any, ndim: int, name: str = "size") -> tuple[int, ...]:
    """One whole number per axis, as of pixels; ``name`` is what errors call it."""
    return tuple(as_whole(value, name) for value in per_axis(size, ndim, name))


def check_dense(value: Any, name: str) -> None:
    """Raise TypeError unless the value is a tensor that has all of its numbers."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} must be a tensor, got {type(value).__name__}; convert it first, "
            "for instance with torch.as_tensor"
        )
    if value.is_nested:
        raise TypeError(
            f"{name} must be a dense tensor, got a nested one; call once for each of "
            f"{name}.unbind()"
        )
    if value.layout is not torch.strided:
        raise TypeError(
            f"{name} must be a dense tensor, got one of layout {value.layout}; convert "
            "it first with .to_dense()"
        )


def check_floating(value: Any, name: str) -> None:
    """Raise TypeError unless the value is a tensor of real floating-point numbers."""
    check_dense(value, name)
    if not value.is_floating_point():
        raise TypeError(
            f"{name} must be a floating-point tensor, got {value.dtype}; convert it "
            "first, for instance with .float()"
        )


def as_count(value: Any, name: str) -> int:
    """A whole number of at least 0; ``name`` is what errors call it."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"{name} must be a whole number, got {value!r} ({type(value).__name__})"
        )
    if value < 0:
        raise ValueError(f"{name} must be at least 0, got {whole_text(int(value))}")
    return _below_64_bits(value, name)


def _below_64_bits(value: Any, name: str) -> int:
    if value >= 2**63:
        raise ValueError(f"{name} must be below 2**63, got {whole_text(int(value))}")
    return int(value)


def check_callable(value: Any, name: str) -> None:
    """Raise TypeError unless the value can be called."""
    if not callable(value):
        raise TypeError(
            f"{name} must be a function of images, such as a module, "
            f"got {type(value).__name__}"
        )
