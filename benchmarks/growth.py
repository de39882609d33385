"""Growth: time and memory against one quantity, all others fixed.

Every point has a layer that shrinks and one that enlarges, to the same output, and the
convolution at that output.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from math import log
from typing import Any

from benchmarks.cases import Case
from benchmarks.contender import Contender
from benchmarks.contenders import make
from benchmarks.runner import Result

# Pixels of inputs that shrink and that enlarge to the same number of pixels.
SHRINKING, ENLARGING = 0.7391, 1.7391
INPUTS = [(21, 9), (43, 18), (87, 37), (174, 74), (346, 147), (692, 294)]

LINES = ("F.conv2d", "shrinking", "enlarging")

# The slope is that of the largest points: the others are calls more than work.
FITTED = 4

# What is less is not seen well.
LEAST_BYTES = 300_000

_MIDDLE, _SMALL = INPUTS[2], INPUTS[1]
_BASE = Case(1, 64, _MIDDLE[0], SHRINKING)

# For each quantity its values, and the case of each on the side that shrinks.
AXES: Mapping[str, Mapping[int, Case]] = {
    "output pixels": {
        case.out_size[0] ** 2: case
        for case in (replace(_BASE, size=size) for size, _ in INPUTS)
    },
    "channels": {
        channels: replace(_BASE, channels=channels)
        for channels in (4, 8, 16, 32, 64, 128, 256, 512)
    },
    "batch": {
        batch: replace(_BASE, batch=batch, size=_SMALL[0])
        for batch in (1, 2, 4, 8, 16, 32, 64, 128)
    },
    "kernel size": {
        kernel_size: replace(_BASE, kernel_size=kernel_size)
        for kernel_size in (2, 3, 4, 5, 6, 7, 8)
    },
}


def points() -> Iterator[tuple[str, dict[str, Callable[[], Contender]]]]:
    """The three contenders of every point, by its name."""
    for axis, values in AXES.items():
        for value, case in values.items():
            larger = replace(case, size=dict(INPUTS)[case.size], scale=ENLARGING)
            yield (
                f"{axis} {value}",
                {
                    "F.conv2d": partial(make, case, "conv"),
                    "shrinking": partial(make, case, "contconv"),
                    "enlarging": partial(make, larger, "contconv"),
                },
            )


def few_points() -> Iterator[tuple[str, dict[str, Callable[[], Contender]]]]:
    """Those of one axis, to try it out: it gives no figure."""
    return (point for point in points() if point[0].startswith("batch"))


def line(result: Result, axis: str, name: str, measure: str) -> dict[int, float]:
    """What was measured, by the values of an axis; nothing where it was too little."""
    found = {v: result[f"{axis} {v}"][name].get(measure, 0) for v in AXES[axis]}
    least = LEAST_BYTES if measure == "extra" else 0
    return {value: measured for value, measured in found.items() if measured > least}


def slope(line: Mapping[int, float]) -> tuple[float, float]:
    """Least squares of the logarithms at the largest points: the power, and log(1).

    A line without two points never rose above what can be measured: it is flat.
    """
    chosen = sorted(line.items())[-FITTED:]
    if len(chosen) < 2:
        return 0.0, 0.0
    xs, ys = ([log(pair[i]) for pair in chosen] for i in (0, 1))
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    covariance = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    power = covariance / sum((a - x) ** 2 for a in xs)
    return power, y - power * x


def slopes(result: Result) -> dict[str, Any]:
    """The powers with which time and memory grow."""
    return {
        measure: {
            axis: {n: slope(line(result, axis, n, measure))[0] for n in LINES}
            for axis in AXES
            if any(name.startswith(axis) for name in result)
        }
        for measure in ("ms", "extra")
    }
