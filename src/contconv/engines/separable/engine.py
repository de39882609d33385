"""One axis at a time: for kernels whose basis is a product over the axes.

With ``basis(d)[ab] = a(dy)[a] b(dx)[b]``, Eq. 1 is three steps that commute: resample
one axis, which gains the index ``a``, or spends it after the head; resample the other,
with ``b``; mix the channels with the head. To enlarge much, the head goes first, on the
input's few pixels; to shrink, last; in between, in between.

Each axis is resampled in bands of outputs: a small dense block of its matrix, mostly
zeros, is faster than a gather of the few that are not. Large images are taken in pieces
of some rows, whose intermediate tensors stay in the cache; so does the backward pass,
which computes them again.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from torch import Tensor

from contconv._grid.grid import AxisGrid
from contconv._runtime.autograd import has_values
from contconv._runtime.cache import cached
from contconv._runtime.finite import is_finite
from contconv._runtime.memory_format import channels_last
from contconv._runtime.shapes import Float
from contconv.engines.problem import Cost, Problem
from contconv.engines.separable.bands import Band, axis_bands, band_width, weights_of
from contconv.engines.separable.channels_first import early_planes, late_planes
from contconv.engines.separable.channels_last import run_steps
from contconv.engines.separable.plan import Plan, best_plan, usual_order
from contconv.engines.separable.resample import Along
from contconv.engines.separable.row_blocks import BLOCK_ELEMENTS, in_pieces, pieces
from contconv.kernels import SeparableKernel
from contconv.kernels.base import is_separable

# With fewer channels, on either side of the head, they are taken as planes.
FEW = 8


def unsupported(problem: Problem) -> list[str]:
    reasons = []
    if not is_separable(problem.kernel):
        name = type(problem.kernel).__name__
        reasons.append(f"the basis of {name} is not a product over the axes")
    if not isinstance(problem.grid, AxisGrid):
        reasons.append("points are not the product of axes")
    return reasons


def cost(problem: Problem) -> Cost:
    assert isinstance(problem.grid, AxisGrid)
    plan, ranks = _plan(problem), _ranks(problem)
    times = problem.image.shape[0] * problem.groups
    held = min(times * plan.largest, 4 * BLOCK_ELEMENTS)
    bands = (
        axis.out_size * band_width(axis) * rank
        for axis, rank in zip(problem.grid.axes, ranks, strict=True)
    )
    numbers = problem.image.numel() + held + sum(bands)
    return Cost(
        multiply_adds=times * plan.multiply_adds,
        memory=problem.basis_dtype.itemsize * numbers,
        time=(39_000 + 0.0075 * times * plan.time + 0.0066 * problem.numbers)
        * (3.3 if problem.learns else 1),
    )


def apply(problem: Problem) -> Float[Tensor, "n mixed *out_shape"]:
    """The output; by bands where nothing traces it and all numbers are finite."""
    ndim, image = problem.kernel.ndim, problem.image.to(problem.basis_dtype)
    if has_values(image):
        out = _by_bands(problem, image)
        if is_finite(image, out):
            return out
        # The zeros of a band would make NaN of all that it reads.
    axes = [weights_of(problem, i) for i in range(ndim)]
    return _run(usual_order(ndim), image, _head(problem), axes)


def _by_bands(problem: Problem, image: Tensor) -> Float[Tensor, "n mixed *out_shape"]:
    """The output by bands; block by block, where there are several."""
    head, bands, plan = prepared(problem)
    if not any(one[0].values.requires_grad for one in bands):
        slab = plan.largest * problem.groups // image.shape[2]
        parts = pieces(len(image), image.shape[2], bands[0], slab)
        if len(parts) > 1:
            run = partial(_run, plan.order)
            return in_pieces(run, image, head, bands, parts)
    return _run(plan.order, image, head, bands)


class Prepared(NamedTuple):
    """Head, bands and order of a separable convolution, for one shape of image."""

    head: Float[Tensor, "g o i *ranks"]
    bands: list[list[Band]]
    plan: Plan

    def run(
        self, image: Float[Tensor, "n c *in_shape"], bands: list[list[Band]]
    ) -> Float[Tensor, "n mixed *out_shape"]:
        """The outputs of some of the bands."""
        return _run(self.plan.order, image, self.head, bands)


def prepared(problem: Problem) -> Prepared:
    """Head, bands and order, from the shape of the image alone."""
    head, ndim = _head(problem), problem.kernel.ndim
    few = _are_few(*head.shape[:3])
    # Rows of single numbers are multiplied best by large matrices.
    times = [4 if few and i == ndim - 1 else 1 for i in range(ndim)]
    bands = [axis_bands(problem, i, times[i]) for i in range(ndim)]
    return Prepared(head, bands, _plan(problem))


def _head(problem: Problem) -> Float[Tensor, "g o i *ranks"]:
    dtype, device = problem.basis_dtype, problem.image.device
    head = problem.kernel.head.to(device, dtype).unflatten(0, (problem.groups, -1))
    return head.unflatten(3, _ranks(problem))


def _run(
    order: tuple[int, ...], image: Tensor, head: Tensor, axes: Sequence[Along]
) -> Tensor:
    groups, o, i = head.shape[:3]
    if _are_few(groups, o, i):
        planes = late_planes if i <= o else early_planes
        return planes(image, head, axes)
    return run_steps(channels_last(image), head, axes, order)


def _are_few(groups: int, out_channels: int, in_channels: int) -> bool:
    return groups == 1 and min(in_channels, out_channels) < FEW


def _ranks(problem: Problem) -> tuple[int, ...]:
    """How many basis functions each axis has."""
    assert isinstance(problem.kernel, SeparableKernel)
    make = partial(_axis_ranks, problem.kernel)
    return cached(problem.kernel.basis_key, ("ranks",), make)


def _axis_ranks(kernel: SeparableKernel) -> tuple[int, ...]:
    return tuple(map(kernel.axis_rank, range(kernel.ndim)))


def _plan(problem: Problem) -> Plan:
    assert isinstance(problem.grid, AxisGrid)
    out_channels, in_channels, _ = problem.kernel.head.shape
    channels = (in_channels, out_channels // problem.groups)
    few = _are_few(problem.groups, *channels)
    return best_plan(problem.grid.axes, _ranks(problem), channels, few)
