"""Phases: the sub-pixel offsets that repeat along an axis, and their grouping."""

from itertools import pairwise
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.taps import weigh
from contconv._runtime.shapes import Float


class PhaseGroup(NamedTuple):
    """Phases ``first`` to ``first + length - 1``, under one window of the input."""

    first: int
    length: int
    start: int  # lowest pixel of the window of the first period; any sign
    width: int


PhaseGroups: TypeAlias = tuple[PhaseGroup, ...]


def periods(axis: Axis) -> int:
    """How often the phases repeat along the axis, the last time perhaps in part."""
    return -(-axis.out_size // axis.phases)


def partitions(axis: Axis) -> list[PhaseGroups]:
    """Groupings of the phases: each alone, by equal starts, or all together."""
    phases = range(axis.phases)
    windows = [_window(axis, n) for n in phases]
    steps = [n for n in phases[1:] if windows[n][0] != windows[n - 1][0]]
    return [
        tuple(_run(windows, *ends) for ends in pairwise([0, *bounds, axis.phases]))
        for bounds in dict.fromkeys([tuple(phases[1:]), tuple(steps), ()])
    ]


def _run(windows: list[tuple[int, int]], first: int, last: int) -> PhaseGroup:
    start = windows[first][0]
    end = max(end for _, end in windows[first:last])
    return PhaseGroup(first, last - first, start, end - start)


def _window(axis: Axis, n: int) -> tuple[int, int]:
    """The pixels of output pixel ``n``, both edges included: first, and one past."""
    first = axis.first_neighbor(n)
    return first, (axis.position(n) + axis.reach) // axis.unit + 1


def phase_taps(
    axis: Axis, runs: PhaseGroups, dtype: torch.dtype, device: torch.device
) -> tuple[Float[Tensor, "phases width"], Float[Tensor, "phases width"]]:
    """Distances and weights in each phase's window, all as wide as the widest."""
    starts = [run.start for run in runs for _ in range(run.length)]
    tap = torch.arange(max(run.width for run in runs), device=device)
    n = torch.arange(axis.phases, device=device)
    pixel = torch.tensor(starts, device=device)[:, None] + tap
    return weigh(axis, n, pixel, dtype)
