"""What is installed: versions, devices, engines."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import torch

from contconv._explanation import wrapped
from contconv._memory import readable, total_memory
from contconv.engines import ENGINES
from contconv.engines._product import has_onednn


def installed() -> Iterator[str]:
    """What is installed, line by line."""
    try:
        own = version("contconv")
    except PackageNotFoundError:
        own = "(not installed)"
    python = platform.python_version()
    yield f"contconv {own}, PyTorch {torch.__version__}, Python {python}"
    yield ""
    yield from _devices()
    yield ""
    yield "engines:"
    width = max(map(len, ENGINES)) + 4
    for name, engine in ENGINES.items():
        summary = (engine.__doc__ or "").partition("\n")[0]
        yield wrapped(summary, f"  {name}".ljust(width))


def _devices() -> Iterator[str]:
    cpu = f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"
    yield f"cpu       {cpu}{_memory(torch.device('cpu'))}"
    yield f"threads   {torch.get_num_threads()}"
    fast = "oneDNN" if has_onednn() else "torch.mm, for want of oneDNN"
    yield f"products  {fast} (float32, cpu)"
    for i in range(torch.cuda.device_count()):
        device = torch.device("cuda", i)
        yield f"{device!s:8}  {torch.cuda.get_device_name(i)}{_memory(device)}"


def _memory(device: torch.device) -> str:
    total = total_memory(device)
    return "" if total is None else f", {readable(total)} of memory"
