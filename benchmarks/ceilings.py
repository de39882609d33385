"""What a GPU does at best: a large product of matrices, and a large copy."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

# Rows and columns of the matrices, and numbers that are copied.
SIDE, COPIED = 8192, 2**28


@dataclass(frozen=True)
class Ceilings:
    """Measured, not from a data sheet."""

    tflops: dict[str, float]  # by precision
    gbytes: float  # read and written, per second


def measured(
    timed: Callable[[Callable[[], object], int], float],
    precise: Callable[[str], object],
    device: str,
    side: int = SIDE,
    copied: int = COPIED,
) -> Ceilings:
    """The best of five turns each; ``precise`` gives a context for a precision."""
    tflops = {}
    for precision in ("float32", "tf32", "bfloat16"):
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        a, b = (torch.randn(side, side, dtype=dtype, device=device) for _ in range(2))
        with precise(precision):  # type: ignore
            seconds = _best(timed, lambda: torch.mm(a, b))  # noqa: B023
        tflops[precision] = 2 * side**3 / seconds / 1e12
    data = torch.ones(copied, device=device)
    into = torch.empty_like(data)
    seconds = _best(timed, lambda: into.copy_(data))
    return Ceilings(tflops, 2 * 4 * copied / seconds / 1e9)


def _best(
    timed: Callable[[Callable[[], object], int], float], call: Callable[[], object]
) -> float:
    call()
    return min(timed(call, 5) for _ in range(5))
