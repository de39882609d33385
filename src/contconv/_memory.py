"""Refuses what cannot fit, before anything is allocated."""

import os
from collections.abc import Sequence
from math import prod

import torch


def check_fits(
    shape: Sequence[int], itemsize: int, extra: int, device: torch.device
) -> None:
    """Raise ValueError if an output and its intermediate tensors exceed all memory.

    Args:
        shape: The shape of the output.
        itemsize: Bytes of one of its elements.
        extra: Bytes of the intermediate tensors.
        device: Where it would be; unknown kinds of device are not checked.
    """
    if torch.compiler.is_compiling():
        return  # the sizes may be symbols, and the machine another one
    output = prod(shape) * itemsize
    total = _total_memory(device)
    if total is not None and output + extra > total:
        raise ValueError(
            f"an output of {' x '.join(map(str, shape))} needs {_readable(output)} and "
            f"{_readable(extra)} of intermediate memory, but {device.type} has "
            f"{_readable(total)} in all; ask for a smaller scale or size, or pass the "
            "image in parts"
        )


def _total_memory(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if device.type == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _readable(size: int) -> str:
    value, units = float(size), iter(["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
    unit = next(units)
    for larger in units:
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.4g} {unit}"
