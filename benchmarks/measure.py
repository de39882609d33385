"""Times of several calls, taken in turns, and the memory of one."""

import time
from collections.abc import Callable
from statistics import median, quantiles

Times = dict[str, dict[str, float]]


def alternate(
    calls: dict[str, Callable[[], object]], rounds: int, least: float
) -> Times:
    """Median and quartiles in milliseconds of each call, one after the other in turns.

    Machines drift; what is timed in turns drifts together. Each turn repeats a call
    until it has taken ``least`` seconds.
    """
    repeats = {}
    for name, call in calls.items():
        call()
        start = time.perf_counter()
        call()
        repeats[name] = max(1, round(least / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            times[name].append((time.perf_counter() - start) / repeats[name] * 1e3)
    return {name: _spread(values) for name, values in times.items()}


def _spread(values: list[float]) -> dict[str, float]:
    low, _, high = quantiles(values, n=4)
    return {"ms": median(values), "low": low, "high": high}
