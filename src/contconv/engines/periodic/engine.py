"""Rational scales: one strided convolution per sub-pixel phase, interleaved.

At a scale of ``p / q`` the grid repeats after ``p`` output pixels, which are ``q``
input pixels. So every p-th output pixel sees the same filter, the kernel at that
phase's distances, and Eq. 1 is ``F.conv`` with stride ``q``: the paper's own way, for
scales with few phases. Phases whose windows are much alike share a call, as output
channels, their filters filled up with zeros.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import product
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import AxisGrid
from contconv._runtime.cache import cached
from contconv._runtime.finite import ExactGradient, is_finite
from contconv._runtime.memory_format import like_layout
from contconv._runtime.shapes import Float
from contconv.engines.periodic.phases import (
    PhaseGroups,
    partitions,
    periods,
    phase_taps,
)
from contconv.engines.periodic.strided import (
    interleaved,
    reading,
    windows,
)
from contconv.engines.problem import Cost, Problem
from contconv.engines.weights import phase_weights

CONV = (F.conv1d, F.conv2d, F.conv3d)

# So many filters cost as much as an image of 8 x 8 pixels, times the kernel's rank.
MAX_PHASES = 64

# What a call costs beside its products, in multiply-adds, of which two cores do 140 per
# ns: 30 us, and 0.4 ns for each value of the image, which is read and rearranged.
CALL, READ = 4_000_000, 60


def unsupported(problem: Problem) -> list[str]:
    if not isinstance(problem.grid, AxisGrid):
        return ["points have no period; it takes a scale or a size"]
    phases = prod([axis.phases for axis in problem.grid.axes])
    if phases > MAX_PHASES:
        return [f"{phases} sub-pixel phases; at most {MAX_PHASES} are worth it"]
    return []


def cost(problem: Problem) -> Cost:
    plan = _plan(problem)
    shape, (*channels, rank) = _filter_shape(problem, plan), problem.kernel.head.shape
    weights = prod(shape)
    basis = weights // prod(channels) * (2 * rank + 2 * len(plan))
    read = [
        max(axis.in_size, periods(axis) * min(axis.down, width))
        for axis, width in zip(_axes(problem), shape[-len(plan) :], strict=True)
    ]
    copies = prod(problem.image.shape[:2]) * prod(read) + 2 * prod(problem.shape)
    work = _products_per_tap(problem) * _taps(plan) + weights * rank
    calls = prod([*map(len, plan)])
    # Filters that learn are made anew at each call.
    time = (
        155_000 * calls * (1 + problem.learns) + 0.0065 * work + 0.023 * problem.numbers
    )
    if problem.image.device.type == "cuda":
        # cuDNN's on a large GPU: 30 us for a call, 20 fs for a multiply-add, 4 ps for a
        # number. They are estimates, beside those of `fused`; nothing was timed there.
        time = 30_000 * calls + 2e-5 * work + 4e-3 * problem.numbers
    return Cost(
        multiply_adds=work,
        memory=problem.basis_dtype.itemsize * (2 * weights + basis + copies),
        time=time * (2.5 if problem.learns else 1),
    )


def apply(problem: Problem) -> Float[Tensor, "n o *out_shape"]:
    image = like_layout(problem.image, problem.image)
    if image.dtype == torch.float16 and image.device.type == "cpu":
        # Its convolutions are not vectorised there: 100 times slower than float32's.
        image = image.float()
    exact = ExactGradient(image, partial(_apart, problem), problem.tensors)
    out = _apply(problem, exact.image, _plan(problem))
    # The zeros that fill up shared windows would make NaN of what they do not touch.
    return exact.watched(out) if is_finite(image, out) else _apart(problem, image)


def _apart(problem: Problem, image: Tensor) -> Float[Tensor, "n o *out_shape"]:
    """The output, with windows of its own for each phase."""
    return _apply(problem, image, tuple(partitions(a)[0] for a in _axes(problem)))


def _apply(
    problem: Problem, image: Tensor, plan: tuple[PhaseGroups, ...]
) -> Float[Tensor, "n o *out_shape"]:
    filters = _filters(problem, plan).to(image.dtype)
    parts = list(_parts(problem, plan, filters, image))
    return interleaved(parts, plan, _axes(problem)).to(problem.basis_dtype)


def _axes(problem: Problem) -> tuple[Axis, ...]:
    assert isinstance(problem.grid, AxisGrid)
    return problem.grid.axes


def _plan(problem: Problem) -> tuple[PhaseGroups, ...]:
    """Which phases share a call, per axis: the cheapest of all combinations."""
    each, call = _products_per_tap(problem), CALL + READ * prod(problem.image.shape)
    best = _best_plan.__wrapped__ if torch.compiler.is_compiling() else _best_plan
    return best(_axes(problem), each, call)


@lru_cache
def _best_plan(axes: tuple[Axis, ...], each: int, call: int) -> tuple[PhaseGroups, ...]:
    """The cheapest plan for a price of a tap, and of a call."""
    plans = list(product(*map(partitions, axes)))
    # Not `min` with a key: Dynamo cannot trace it with symbolic sizes.
    prices = [each * _taps(plan) + call * prod([*map(len, plan)]) for plan in plans]
    return plans[prices.index(min(prices))]


def _taps(plan: tuple[PhaseGroups, ...]) -> int:
    """The taps of all phases, with what fills up their windows."""
    return prod([sum(run.length * run.width for run in runs) for runs in plan])


def _products_per_tap(problem: Problem) -> int:
    n, out_channels = problem.shape[:2]
    channels = out_channels * problem.kernel.head.shape[1]
    return n * channels * prod([*map(periods, _axes(problem))])


def _filter_shape(problem: Problem, plan: tuple[PhaseGroups, ...]) -> tuple[int, ...]:
    """Groups, phases per axis, channels out and in, and pixels per axis."""
    phases = (axis.phases for axis in _axes(problem))
    widths = (max(run.width for run in runs) for runs in plan)
    out_channels, in_channels, _ = problem.kernel.head.shape
    groups = problem.groups
    return (groups, *phases, out_channels // groups, in_channels, *widths)


def _filters(problem: Problem, plan: tuple[PhaseGroups, ...]) -> Tensor:
    """The kernel at the distances of every phase, in windows of one size.

    ``[groups, *phases, out, in, *widths]``, the channels being those of a group.
    """
    use = ("phases", _axes(problem), plan, problem.basis_dtype, problem.image.device)
    make = partial(_phase_basis, problem, plan)
    basis = cached(problem.kernel.basis_key, use, make)
    head = problem.kernel.head.to(basis).unflatten(0, (problem.groups, -1))
    filters = torch.einsum("gocr,pkr->gpock", head, basis)
    return filters.reshape(_filter_shape(problem, plan))


def _phase_basis(
    problem: Problem, plan: tuple[PhaseGroups, ...]
) -> Float[Tensor, "phases taps rank"]:
    """The basis at the distances of every phase, times their weights."""
    taps = [
        phase_taps(axis, groups, problem.basis_dtype, problem.image.device)
        for axis, groups in zip(_axes(problem), plan, strict=True)
    ]
    values = phase_weights(problem.kernel.basis, taps)
    return values.flatten(0, len(plan) - 1).flatten(1, -2)


def _parts(
    problem: Problem, plan: tuple[PhaseGroups, ...], filters: Tensor, image: Tensor
) -> Iterator[Tensor]:
    """The result of the convolution for every combination of phase groups.

    ``[n, groups, *phases, out, *periods]``; the first axis varies slowest.
    """
    ndim = len(plan)
    mode, axes = problem.grid.padding_mode, _axes(problem)
    readings = [
        [reading(axis, run, mode, image.device) for run in runs]
        for axis, runs in zip(axes, plan, strict=True)
    ]
    for runs, (window, how) in zip(
        product(*plan), windows(image, readings), strict=True
    ):
        phases = [slice(run.first, run.first + run.length) for run in runs]
        widths = [slice(run.width) for run in runs]
        weight = filters[(slice(None), *phases, slice(None), slice(None), *widths)]
        part = CONV[ndim - 1](
            window,
            weight.flatten(0, ndim + 1),
            stride=[one.stride for one in how],
            padding=[one.padding for one in how],
            groups=problem.groups,
        )
        inside = [
            slice(one.skip, one.skip + periods(axis))
            for one, axis in zip(how, axes, strict=True)
        ]
        yield part[(..., *inside)].unflatten(1, weight.shape[: ndim + 2])
