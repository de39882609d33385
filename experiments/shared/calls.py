"""What a call of a network costs: multiply-adds, time and memory."""

from collections.abc import Callable, Mapping
from functools import partial
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
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


def enlarging(
    models: Mapping[str, nn.Module], side: int, scale: float, rounds: int
) -> dict[str, dict[str, Any]]:
    """Of enlarging a square by each network; and ``parameters``, how many it has."""
    size = ceil(side * scale), ceil(side * scale)
    makers = {
        name: partial(_enlarging, model, side, size) for name, model in models.items()
    }
    found = costs(makers, rounds)
    for name, model in models.items():
        found[name]["parameters"] = sum(p.numel() for p in model.parameters())
    return found


def _enlarging(model: nn.Module, side: int, size: tuple[int, int]) -> Contender:
    image = torch.rand(1, 3, side, side)
    return Contender(partial(enlarged, model, size=size), image)


def enlarged(model: nn.Module, images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images, enlarged to a size."""
    return model(images, size=size)


def multiply_adds(call: Callable[[], object]) -> int:
    """Of all convolutions and products of matrices in a call."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() // 2
