"""Memory: refusal of outputs that cannot fit, before anything is allocated."""

import os
from collections.abc import Sequence
from math import prod

import torch

from contconv._runtime.autograd import has_symbolic_sizes
from contconv._runtime.numberless import has_numbers
from contconv._runtime.text import readable, whole_text


def check_fits(
    shape: Sequence[int], itemsize: int, extra: int, device: torch.device
) -> None:
    """Raise ValueError if an output and its intermediate tensors exceed all memory.

    The arguments are those of `shortage`.
    """
    if has_symbolic_sizes():
        return  # the sizes may be symbols, and the machine another one
    if message := shortage(shape, itemsize, extra, device):
        raise ValueError(message)


def shortage(
    shape: Sequence[int], itemsize: int, extra: int, device: torch.device
) -> str | None:
    """The error message if an output and its intermediate tensors exceed all memory.

    Args:
        shape: The shape of the output.
        itemsize: Bytes of one of its elements.
        extra: Bytes of the intermediate tensors.
        device: Where it would be; unknown kinds of device are not checked.
    """
    output = prod(shape) * itemsize
    total = total_memory(device)
    if total is None or output + extra <= total:
        return None
    return (
        f"an output of {' x '.join(map(str, shape))} needs {readable(output)} and "
        f"{readable(extra)} of intermediate memory, but {device.type} has "
        f"{readable(total)} in all; ask for a smaller scale or size, or pass the "
        "image in parts"
    )


def check_parameters(shape: Sequence[int], like: torch.Tensor, what: str) -> None:
    """Raise ValueError if a parameter exceeds all memory, or cannot be counted.

    Args:
        shape: That of the parameter.
        like: Any tensor of its dtype and device.
        what: What it belongs to, and is large with.
    """
    total = total_memory(like.device) if has_numbers(like) else None
    size, most = prod(shape) * like.element_size(), total or 2**63 - 1
    if size > most:
        where = f"{like.device.type} has" if total is not None else "a tensor may have"
        raise ValueError(
            f"a head of {' x '.join(map(whole_text, shape))} numbers needs "
            f"{readable(size)}, but {where} {readable(most)} in all; {what}"
        )


def total_memory(device: torch.device) -> int | None:
    """Bytes of memory that a device has; None where it is unknown."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if device.type == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
