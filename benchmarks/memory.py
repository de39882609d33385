"""Extra peak memory: what a call holds at most, beside its input and its results.

It is the rise of the resident memory of a process, as Linux counts it: that has
everything in it that was touched, PyTorch's tensors as well as the copies and the
scratch space of the libraries below it, which a profiler of tensors does not see. Each
contender runs in a process of its own, where memory that is freed is given back at
once. After two calls, which may keep what they like, the peak is reset, and read after
a third; the resident memory before it and the bytes of the results are subtracted, also
of results that are younger than the peak. The kernel's counters lag by some dozens of
pages: below 0.3 MiB a value means little.
"""

import ctypes
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver, get_context
from pathlib import Path
from statistics import median

import torch

from benchmarks.contender import Contender
from training.allocator import giving_back

_PROCESS = Path("/proc/self")
_REPEATS = 3


class MemoryMeter:
    """Starts the processes; from one that has imported all and computed nothing."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.context = get_context("forkserver")
        self.context.set_forkserver_preload([__name__, "contconv"])
        with giving_back():
            forkserver.ensure_running()

    def extra(self, make: Callable[[], Contender]) -> int | None:
        """Bytes that the contender takes; None where Linux does not tell."""
        if not (_PROCESS / "clear_refs").exists():
            return None
        with ProcessPoolExecutor(1, self.context) as processes:
            return processes.submit(_extra, make, self.threads).result()


def _extra(make: Callable[[], Contender], threads: int) -> int:
    torch.set_num_threads(threads)
    call = make()
    for _ in range(2):
        call()
    return max(0, round(median(_rise(call) for _ in range(_REPEATS))))


def _rise(call: Contender) -> int:
    ctypes.CDLL(None).malloc_trim(0)
    (_PROCESS / "clear_refs").write_text("5")
    before = _status("VmRSS")
    results = call()
    peak = _status("VmHWM")
    storages = {r.untyped_storage().data_ptr(): r.untyped_storage() for r in results}
    return peak - before - sum(storage.nbytes() for storage in storages.values())


def _status(field: str) -> int:
    """Bytes of a field of the process status."""
    found = re.search(rf"{field}:\s*(\d+) kB", (_PROCESS / "status").read_text())
    assert found is not None, field
    return int(found[1]) * 1024
