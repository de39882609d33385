"""Convolution in C++: nothing between input and output but a few rows.

A thread owns a band of output rows. It holds the last few input rows, resampled along
x, combines them along y for some pixels at a time, and multiplies those with the head
while they are in the first cache; or the head comes first, or in between. What is no
product over the axes, and points, have a table for each pixel instead. Float32 and
bfloat16, with sums in float32; other formats by conversion.
"""

from functools import lru_cache, partial

import torch
from torch import Tensor

from contconv._grid.grid import AxisGrid
from contconv._runtime.autograd import has_symbolic_sizes, is_compiled, is_transformed
from contconv._runtime.cache import cached
from contconv._runtime.shapes import Float
from contconv.engines.native.gradients import separable
from contconv.engines.native.library import DTYPES, Plan, missing, plan
from contconv.engines.native.pixel_tables import MOST_KEPT, row_numbers
from contconv.engines.native.pixelwise import apply_pixelwise
from contconv.engines.native.tables import Tables, axis_tables
from contconv.engines.problem import Cost, Problem
from contconv.kernels import SeparableKernel
from contconv.kernels.base import is_separable

# Of an axis: its tables have 32 bits.
MOST_PIXELS = 2**31 - 1

# Nanoseconds of a step of the plan, of a number that is read or written, and of a call:
# two cores with AVX-512.
_STEP, _NUMBER, _CALL = 0.105, 0.0066, 15_000

# Of a table for each pixel: of a multiply-add with the neighbors, and with the head.
_MOMENT, _MIX = 0.016, 0.0065

_RANKS = ("ranks",)


def unsupported(problem: Problem) -> list[str]:
    image = problem.image
    reasons = []
    if image.device.type != "cpu" and not image.is_meta:
        reasons.append(f"needs a tensor on the CPU, got one on {image.device}")
    if image.dtype not in DTYPES:
        name = str(image.dtype).removeprefix("torch.")
        reasons.append(f"needs float32, bfloat16 or float16, got {name}")
    if (most := _longest(problem)) > MOST_PIXELS:
        reasons.append(f"an axis has {most} pixels; at most {MOST_PIXELS} are counted")
    if torch.compiler.is_exporting():
        reasons.append("exported graphs are of PyTorch's own operators")
    elif is_transformed() and not is_compiled():
        reasons.append("torch.func and forward mode need PyTorch's own operators")
    if not reasons and (reason := missing()) is not None:
        reasons.append(reason)
    return reasons


def _longest(problem: Problem) -> int:
    """The pixels of the longest axis; 0 in a graph, where they may be symbols."""
    if has_symbolic_sizes():
        return 0
    return max((*problem.grid.in_shape, *problem.grid.out_shape))


def is_by_axes(problem: Problem) -> bool:
    """Whether the axes are resampled one after the other."""
    grid = problem.grid
    product = isinstance(grid, AxisGrid) or grid.positions is not None
    return product and is_separable(problem.kernel)


def cost(problem: Problem) -> Cost:
    if not is_by_axes(problem):
        return _pixelwise_cost(problem)
    taken, memory = _planned(problem)
    return Cost(
        multiply_adds=taken.multiply_adds,
        memory=memory,
        time=(_CALL + _STEP * taken.steps + _NUMBER * problem.numbers)
        * (3.2 if problem.learns else 1),
    )


def plan_of(problem: Problem) -> Plan:
    """The order of the steps where the axes are resampled one after the other."""
    return _planned(problem)[0]


def _planned(problem: Problem) -> tuple[Plan, int]:
    assert isinstance(problem.kernel, SeparableKernel)
    ranks = cached(problem.kernel.basis_key, _RANKS, partial(_ranks, problem.kernel))
    n, groups, in_channels = (
        problem.image.shape[0],
        problem.groups,
        problem.kernel.head.shape[1],
    )
    channels = (n, groups, in_channels, problem.out_channels // groups)
    return _plan(problem.grid.axis_sizes, ranks, channels)


def _pixelwise_cost(problem: Problem) -> Cost:
    """Of a table for each pixel."""
    n, c = problem.image.shape[:2]
    kernel, grid = problem.kernel, problem.grid
    out_channels, _, rank = kernel.head.shape
    pixels, in_pixels = n * problem.pixels, n * problem.image.shape[2:].numel()
    moments = rank * c * grid.taps
    mixed = rank * c * out_channels // problem.groups
    table = row_numbers(problem) * grid.out_shape[0] if grid.out_shape else 0
    price = pixels * (_MOMENT * moments + _MIX * mixed) + 20 * table
    if problem.learns:
        # The gradients of head and table, and the transposed convolution.
        price += pixels * (2 * _MOMENT * moments + 2 * _MIX * mixed)
        price += pixels * _MOMENT * moments + in_pixels * _MIX * mixed
    held = table if problem.learns else min(table, 2 * MOST_KEPT)
    return Cost(
        multiply_adds=pixels * (moments + mixed),
        memory=8 * held + 4 * min(problem.image.numel(), 2**21),
        time=8 * _CALL + price + 0.3 * problem.numbers,
    )


@lru_cache(1024)
def _plan(
    axes: tuple[tuple[int, int, int], ...],
    ranks: tuple[int, ...],
    channels: tuple[int, ...],
) -> tuple[Plan, int]:
    """The plan, and about the bytes that each thread holds."""
    sizes = [*channels, *(1, 1, 1, 1) * (3 - len(axes))]
    for axis, rank in zip(axes, ranks, strict=True):
        sizes += [*axis, rank]
    _, _, c, o = channels
    (in_x, out_x, _), taps = axes[-1], axes[-2][2] if len(axes) > 1 else 1
    taken = plan(tuple(sizes))
    held = ranks[-1] * c if taken.order == 0 else ranks[0] * o
    memory = in_x * c + (taps + 1) * out_x * held
    if taken.order == 1:
        memory += in_x * o * ranks[0] * ranks[-1]
    return taken, 4 * memory * torch.get_num_threads()


def _ranks(kernel: SeparableKernel) -> tuple[int, ...]:
    none = torch.zeros(0, device=kernel.head.device)
    return tuple(kernel.axis_basis(none, i).shape[-1] for i in range(kernel.ndim))


def apply(problem: Problem) -> Float[Tensor, "n o *out_shape"]:
    if is_by_axes(problem):
        tables = axis_tables(problem)
        return run(problem.image, problem.kernel.head, tables, problem.groups)
    return apply_pixelwise(problem, *_as_taken(problem.image, problem.kernel.head))


def run(
    image: Float[Tensor, "n c *in_shape"],
    head: Float[Tensor, "o i rank"],
    tables: Tables,
    groups: int,
) -> Float[Tensor, "n o *out_shape"]:
    """The output, from the tables of a problem."""
    return separable(*_as_taken(image, head), tables, groups)


def _as_taken(image: Tensor, head: Tensor) -> tuple[Tensor, Tensor]:
    """In formats that the library takes."""
    if image.dtype == torch.float16:
        image = image.float()
    # A kernel without parameters may lie on another device.
    there = head.dtype == torch.float32 and head.device == image.device
    if not there or not head.is_contiguous():
        head = head.to(image.device, torch.float32).contiguous()
    return image, head
