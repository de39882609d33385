"""One axis at a time: for kernels whose basis is a product over the axes.

With ``basis(d)[ab] = a(dy)[a] b(dx)[b]``, Eq. 1 is three steps that commute: resample
one axis, which gains the index ``a``, or spends it after the head; resample the other,
with ``b``; mix the channels with the head. To enlarge much, the head goes first, on the
input's few pixels; to shrink, last; in between, in between.

Each axis is resampled in blocks of outputs: a small dense band of its matrix, mostly
zeros, is faster than a gather of the few that are not.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.autograd import forward_ad

from contconv._grid import AxisGrid
from contconv._transforms import is_transformed
from contconv._types import Float
from contconv.engines._bands import axis_bands, band_width
from contconv.engines._contract import Cost, Problem
from contconv.engines._early_head import early_head
from contconv.engines._last_axis import mix_then_resample, resample_then_mix
from contconv.engines._late_head import late_head
from contconv.engines._order import BLOCK, HEAD, Plan, best_plan
from contconv.engines._rows import HELD
from contconv.engines._steps import run_steps
from contconv.kernels import SeparableKernel


def unsupported(problem: Problem) -> list[str]:
    reasons = []
    if not isinstance(problem.kernel, SeparableKernel):
        name = type(problem.kernel).__name__
        reasons.append(f"the basis of {name} is not a product over the axes")
    if not isinstance(problem.grid, AxisGrid):
        reasons.append("points are not the product of axes")
    return reasons


def cost(problem: Problem) -> Cost:
    assert isinstance(problem.grid, AxisGrid)
    plan, ranks = _plan(problem), _ranks(problem)
    times = problem.image.shape[0] * problem.groups
    held = times * plan.largest
    if _writer(plan.order) is not None:
        held = min(held, 3 * HELD)
    bands = (
        axis.out_size * band_width(axis, BLOCK) * rank
        for axis, rank in zip(problem.grid.axes, ranks, strict=True)
    )
    numbers = problem.image.numel() + held + sum(bands)
    return Cost(
        multiply_adds=times * plan.multiply_adds,
        memory=problem.basis_dtype.itemsize * numbers,
        time=870_000 + 0.0066 * times * plan.time + 2.6 * problem.numbers,
    )


def apply(problem: Problem) -> Float[Tensor, "n mixed *out_shape"]:
    order = _plan(problem).order
    image = problem.image.to(problem.basis_dtype)
    bands = [axis_bands(problem, i, BLOCK) for i in range(problem.kernel.ndim)]
    head = problem.kernel.head.to(image).unflatten(0, (problem.groups, -1))
    head = head.unflatten(3, _ranks(problem))
    write = _writer(order)
    weights = (axis[0].weights for axis in bands)
    if write is None or not len(image) or _differentiates(image, head, *weights):
        return run_steps(image, head, bands, order)
    out = image.new_empty(problem.shape)
    if image.shape[1] == problem.out_channels == 1:
        # As many channels as there are images make larger products.
        head = head.expand(len(image), *head.shape[1:])
        write(image.transpose(0, 1), head, bands, out.transpose(0, 1))
    else:
        write(image, head, bands, out)
    return out


def _writer(order: tuple[int, ...]) -> Callable[..., None] | None:
    """What takes the steps in this order piece by piece; None if nothing does."""
    if order[0] == HEAD:
        return partial(early_head, widen=mix_then_resample)
    if order[-1] == HEAD:
        return late_head
    if order[:2] == (len(order) - 2, HEAD):
        return partial(early_head, widen=resample_then_mix)
    return None


def _differentiates(*inputs: Tensor) -> bool:
    """Whether anything but the values of ``inputs`` is asked for, or may be."""
    return (
        is_transformed()
        or (torch.is_grad_enabled() and any(value.requires_grad for value in inputs))
        or forward_ad._current_level >= 0
        or any(type(value) not in (Tensor, torch.nn.Parameter) for value in inputs)
    )


def _ranks(problem: Problem) -> tuple[int, ...]:
    """How many basis functions each axis has."""
    kernel, none = problem.kernel, problem.image.new_zeros(0, dtype=problem.basis_dtype)
    assert isinstance(kernel, SeparableKernel)
    return tuple(kernel.axis_basis(none, i).shape[-1] for i in range(kernel.ndim))


def _plan(problem: Problem) -> Plan:
    assert isinstance(problem.grid, AxisGrid)
    out_channels, in_channels, _ = problem.kernel.head.shape
    channels = (in_channels, out_channels // problem.groups)
    return best_plan(problem.grid.axes, _ranks(problem), channels)
