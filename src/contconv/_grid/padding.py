"""What lies outside an image: the index rule of each padding mode."""

from collections.abc import Callable

import torch
from torch import Tensor

from contconv._runtime.shapes import Int


def _replicate(index: Tensor, size: int) -> Tensor:
    return index.clamp(0, size - 1)


def _reflect(index: Tensor, size: int) -> Tensor:
    # A graph that is exported may not ask, and needs not: see `_remainder`.
    if not torch.compiler.is_exporting() and size == 1:
        return index.clamp(0, 0)
    folded = _remainder(index, 2 * size - 2)
    return folded.minimum(2 * size - 2 - folded)


def _symmetric(index: Tensor, size: int) -> Tensor:
    folded = _remainder(index, 2 * size)
    return folded.minimum(2 * size - 1 - folded)


def _circular(index: Tensor, size: int) -> Tensor:
    return _remainder(index, size)


def _remainder(index: Tensor, size: int) -> Tensor:
    """At least 0, as Python's."""
    if torch.compiler.is_exporting():
        # ONNX has no remainder by a symbolic number, only by a tensor; and the same
        # graph serves images of 1 pixel, whose reflection would divide by 0.
        divisor = torch.scalar_tensor(size, dtype=index.dtype).clamp(min=1)
        return index.remainder(divisor)
    return index.remainder(size)


# With "zeros", outside pixels point at the edge, and `is_source` says that they do not
# count.
_RULES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "zeros": _replicate,
    "reflect": _reflect,
    "replicate": _replicate,
    "circular": _circular,
    "symmetric": _symmetric,
}

PADDING_MODES = tuple(_RULES)


def check_padding_mode(mode: str) -> None:
    """Raise ValueError unless ``mode`` is one of `PADDING_MODES`."""
    if not isinstance(mode, str) or mode not in _RULES:
        raise ValueError(
            f"unknown padding_mode {mode!r}; choose one of {list(PADDING_MODES)}"
        )


def source_index(
    index: Int[Tensor, "*any"], size: int, mode: str
) -> Int[Tensor, "*any"]:
    """The pixel that stands for each ``index`` on an axis of ``size`` pixels.

    Any index is allowed, also further outside than the image is wide::

        zeros      . . . . | a b c d | . . . .
        replicate  a a a a | a b c d | d d d d
        reflect    c d c b | a b c d | c b a b
        symmetric  d c b a | a b c d | d c b a
        circular   a b c d | a b c d | a b c d
    """
    return _RULES[mode](index, size)


def is_source(index: Int[Tensor, "*any"], size: int, mode: str) -> Tensor | None:
    """Which pixels count; None where all do (every mode but ``zeros``)."""
    return (index >= 0) & (index < size) if mode == "zeros" else None
