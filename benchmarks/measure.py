"""Times of several calls, taken in turns."""

import time
from collections.abc import Callable, Mapping
from statistics import median, quantiles

Times = dict[str, dict[str, float]]


def timed(call: Callable[[], object], repeats: int) -> float:
    """Seconds a call, over so many calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def alternate(
    calls: Mapping[str, Callable[[], object]],
    rounds: int,
    least: float,
    most: float = 2.0,
    timed: Callable[[Callable[[], object], int], float] = timed,
) -> Times:
    """Median and quartiles in milliseconds of each call, one after the other in turns.

    Machines drift; what is timed in turns drifts together. Each turn repeats a call
    until it has taken ``least`` seconds; a slow call takes part in fewer rounds, at
    least three, so that it takes ``most`` seconds in all. ``timed`` is the clock.
    """
    repeats, turns = {}, {}
    for name, call in calls.items():
        call()
        seconds = timed(call, 1)
        repeats[name] = max(1, round(least / seconds))
        turns[name] = min(rounds, max(3, int(most / (seconds * repeats[name]))))
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds):
        for name, call in calls.items():
            if turn < turns[name]:
                times[name].append(timed(call, repeats[name]) * 1e3)
    return {name: _spread(values) for name, values in times.items()}


def _spread(values: list[float]) -> dict[str, float]:
    low, _, high = quantiles(values, n=4, method="inclusive")
    return {"ms": median(values), "low": low, "high": high}
