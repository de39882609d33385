"""The weight of a convolution that became a kernel: to be read, not written to."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch._C import DisableTorchFunctionSubclass

# Operators in place, and what sets an attribute or a part.
_WRITES = re.compile(
    r"[a-z0-9_]*[a-z0-9]_|__set(item)?__"
    r"|__i(add|sub|mul|(true|floor)?div|mod|pow|and|or|xor|[lr]shift)__"
)


class ComputedWeight(Tensor):
    """A tensor that was computed from a kernel's head.

    What is written to it would be lost, so that raises an error; also after ``.data``,
    ``detach`` or an index.
    """

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Raise if the function writes to such a tensor; a view of it is one, too."""
        kwargs = kwargs or {}
        first: Any = next(iter((*args, *kwargs.values())), None)
        writes = _WRITES.fullmatch(getattr(func, "__name__", ""))
        if (writes and isinstance(first, cls)) or isinstance(kwargs.get("out"), cls):
            raise RuntimeError(
                "this weight is computed from a continuous kernel, so that what is "
                "written to it would be lost; set layer.weight to a new tensor, or "
                "change layer.kernel.head"
            )
        with DisableTorchFunctionSubclass():
            out = func(*args, **kwargs)
            tensors = isinstance(out, Tensor) and isinstance(first, Tensor)
            if tensors and out.data_ptr() and _storage(out) == _storage(first):
                return out.as_subclass(cls)
        return out


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
