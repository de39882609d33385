"""Measure named cases: time and peak memory of every contender."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch

from benchmarks.contender import Contender
from benchmarks.measure import Times, alternate
from benchmarks.memory import MemoryMeter

Makers = Mapping[str, Callable[[], Contender]]
Result = dict[str, Times]


@dataclass(frozen=True)
class Settings:
    """How a record is taken."""

    rounds: int = 9
    threads: int = 2
    least: float = 0.05  # seconds that a turn takes
    most: float = 2.0  # seconds that all turns of a contender take, of three at least


def measure(
    cases: Iterable[tuple[str, Makers]], settings: Settings, memory: bool = True
) -> Result:
    """Milliseconds and extra bytes of each contender, by the names of the cases."""
    from rich.progress import track

    torch.set_num_threads(settings.threads)
    meter = MemoryMeter(settings.threads) if memory else None
    result = {}
    for name, makers in track(list(cases), "cases"):
        calls = {who: make() for who, make in makers.items()}
        times = alternate(calls, settings.rounds, settings.least, settings.most)
        del calls
        for who, make in makers.items() if meter else ():
            extra = meter.extra(make) if meter else None
            if extra is not None:
                times[who]["extra"] = extra
        result[name] = times
    return result
