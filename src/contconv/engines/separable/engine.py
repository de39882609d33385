"""One axis at a time: for kernels whose basis is a product over the axes.

With ``basis(d)[ab] = a(dy)[a] b(dx)[b]``, Eq. 1 is three steps that commute: resample
one axis, which gains the index ``a``, or spends it after the head; resample the other,
with ``b``; mix the channels with the head. To enlarge much, the head goes first, on the
input's few pixels; to shrink, last; in between, in between.

Each axis is resampled by products with dense matrices, mostly zeros, instead of a
gather of the few inputs that count.
"""

from functools import partial

from torch import Tensor

from contconv._grid.grid import AxisGrid
from contconv._runtime.autograd import has_values
from contconv._runtime.cache import cached
from contconv._runtime.finite import ExactGradient, is_finite
from contconv._runtime.shapes import Float
from contconv.engines.problem import Cost, Problem
from contconv.engines.separable.plan import Plan, band_width, best_plan, usual_order
from contconv.engines.separable.steps import run_steps
from contconv.engines.weights import AxisWeights, axis_weights
from contconv.kernels import SeparableKernel
from contconv.kernels.base import is_separable


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
    bands = (
        axis.out_size * band_width(axis) * rank
        for axis, rank in zip(problem.grid.axes, ranks, strict=True)
    )
    numbers = problem.image.numel() + times * plan.largest + sum(bands)
    return Cost(
        multiply_adds=times * plan.multiply_adds,
        memory=problem.basis_dtype.itemsize * numbers,
        time=(400_000 + 0.0075 * times * plan.time + 0.0066 * problem.numbers)
        * (3.3 if problem.learns else 1),
    )


def apply(problem: Problem) -> Float[Tensor, "n mixed *out_shape"]:
    """The output; by bands where nothing traces it and all numbers are finite."""
    image = problem.image.to(problem.basis_dtype)
    if has_values(image):
        exact = ExactGradient(image, partial(_by_taps, problem), problem.tensors)
        out = run_steps(exact.image, *steps(problem), exact=False)
        # The zeros of a band would make NaN of all that it reads.
        if is_finite(image, out):
            return exact.watched(out)
    return _by_taps(problem, image)


def steps(
    problem: Problem,
) -> tuple[Float[Tensor, "g o i *ranks"], list[AxisWeights], tuple[int, ...]]:
    """Head, weights of each axis and order, from the shape of the image alone."""
    return _head(problem), _weights(problem), _plan(problem).order


def _by_taps(problem: Problem, image: Tensor) -> Float[Tensor, "n mixed *out_shape"]:
    order = usual_order(problem.kernel.ndim)
    return run_steps(image, _head(problem), _weights(problem), order, exact=True)


def _weights(problem: Problem) -> list[AxisWeights]:
    """The basis of each axis where the grid samples it."""
    kernel, grid = problem.kernel, problem.grid
    assert isinstance(grid, AxisGrid)
    assert isinstance(kernel, SeparableKernel)
    options = (grid, problem.basis_dtype, problem.image.device)
    return [axis_weights(kernel, i, *options) for i in range(kernel.ndim)]


def _head(problem: Problem) -> Float[Tensor, "g o i *ranks"]:
    dtype, device = problem.basis_dtype, problem.image.device
    head = problem.kernel.head.to(device, dtype).unflatten(0, (problem.groups, -1))
    return head.unflatten(3, _ranks(problem))


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
    return best_plan(problem.grid.axes, _ranks(problem), channels)
