"""What a call of a network costs: multiply-adds, time and memory."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contender import Contender
from benchmarks.measure import alternate
from benchmarks.memory import MemoryMeter

Make = Callable[[], Contender]


def costs(makers: Mapping[str, Make], rounds: int) -> dict[str, dict[str, Any]]:
    """Of one call of each, without gradients.

    Args:
        makers: Make what is called; they can be pickled, for memory is taken in other
            processes.
        rounds: How often times are taken; the calls take turns.

    Returns:
        ``multiply_adds``, those that PyTorch counts: of all convolutions and products
        of matrices, also those of resizing; ``milliseconds``, a median; ``memory``,
        bytes beside the output, or None where the system does not tell.
    """
    calls = {name: make() for name, make in makers.items()}
    times = alternate(calls, rounds, least=0.0)
    meter = MemoryMeter(torch.get_num_threads())
    return {
        name: {
            "multiply_adds": multiply_adds(call),
            "milliseconds": times[name]["ms"],
            "memory": meter.extra(makers[name]),
        }
        for name, call in calls.items()
    }


def multiply_adds(call: Callable[[], object]) -> int:
    """Of all convolutions and products of matrices in a call."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() // 2
