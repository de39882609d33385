"""The sum over taps and the product with the head in one kernel, on a GPU.

With the kernel a basis times a head, as in `factored`,

    Z[n, p, r, c] = sum_k  basis[p, k, r] image[n, c, m_k]
    out[n, o, p]  = sum_rc head[o, c, r] Z[n, p, r, c]

but Z stays in registers: what is read and written is the image, the tables and the
output. Sums over taps are in float32, the product runs on tensor cores, in TF32 where
PyTorch may use it for matrices, else in three parts. Nothing is added by atomics: the
same tiles give the same bits.
"""

import math
import os
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

from contconv._grid.grid import AxisGrid
from contconv._runtime.autograd import constant_in_graphs
from contconv._runtime.memory_format import channels_last, is_channels_last
from contconv._runtime.shapes import Float
from contconv.engines.fused.operators import product
from contconv.engines.fused.tap_tables import tables
from contconv.engines.problem import Cost, Problem
from contconv.kernels.base import is_separable

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


# What tensor cores take at least, of channels in and out.
_MIN_TILE_CHANNELS = 16

# Most numbers that a table of 32-bit integers can point at.
_MAX_TABLE_PIXELS = 2**31 - 1


def unsupported(problem: Problem) -> list[str]:
    reasons, image = [], problem.image
    if not _is_installed():
        reasons.append("triton is not installed")
    if image.device.type != "cuda" and not _is_interpreted(image):
        # A tensor on "meta" stands for one in main memory.
        where = "cpu" if image.is_meta else image.device
        reasons.append(f"needs a CUDA tensor, got one on {where}")
    elif image.device.type == "cuda":
        reasons += _too_old(image.device)
    if image.dtype not in DTYPES:
        name = str(image.dtype).removeprefix("torch.")
        reasons.append(f"needs float32, bfloat16 or float16, got {name}")
    if torch.compiler.is_compiling():
        return reasons  # the sizes may be symbols
    pixels = max(image.shape[2:].numel(), problem.pixels) * problem.grid.batch
    if pixels > _MAX_TABLE_PIXELS:
        reasons.append(
            f"{pixels} pixels; at most {_MAX_TABLE_PIXELS} fit into its tables"
        )
    return reasons


@constant_in_graphs
def _is_installed() -> bool:
    return _found("triton")


@cache
def _found(module: str) -> bool:
    return find_spec(module) is not None


def _is_interpreted(image: Tensor) -> bool:
    """Whether Triton would interpret its kernels: on a CPU, for tests, very slowly."""
    return image.device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"


def _too_old(device: torch.device) -> list[str]:
    if torch.version.hip is not None:
        return []
    # Not get_device_capability, which torch.compile would make a part of the graph.
    found = torch.cuda.get_device_properties(device)
    if found.major >= 8:
        return []
    return [f"needs compute capability 8.0 or later, got {found.major}.{found.minor}"]


def cost(problem: Problem) -> Cost:
    """The time is an estimate for a large GPU, on which nothing was timed.

    Of the other engines, the times are those of CPU cores: on a GPU they never win.
    """
    n, c = problem.image.shape[:2]
    grid, (out_channels, _, rank) = problem.grid, problem.kernel.head.shape
    moments = n * c * problem.pixels * rank
    mixed = moments * (out_channels // problem.groups)
    filled = _filled(c // problem.groups) * _filled(out_channels // problem.groups)
    table = grid.batch * problem.pixels * grid.taps * (rank + 1)
    if is_separable(problem.kernel) and isinstance(grid, AxisGrid):
        table = sum(axis.out_size * axis.taps for axis in grid.axes) * (rank + 1)
    time = 60_000 + 3e-5 * mixed * filled + 5e-5 * moments * grid.taps
    time += 4e-3 * (problem.numbers + table)
    copies = problem.image.numel() * problem.image.element_size()
    if _is_interpreted(problem.image):
        time = math.inf
    return Cost(
        multiply_adds=moments * grid.taps + mixed,
        memory=problem.basis_dtype.itemsize * 2 * table + copies,
        time=time * (3.5 if problem.learns else 1),
    )


def _filled(channels: int) -> float:
    """What a tile computes over what is needed of it."""
    return -(-channels // _MIN_TILE_CHANNELS) * _MIN_TILE_CHANNELS / channels


def apply(problem: Problem) -> Float[Tensor, "n o *out_shape"]:
    each, image = problem.grid.batch > 1, problem.image
    pixels = channels_last(image).flatten(1, -2)
    head = problem.kernel.head.to(problem.image.device, problem.basis_dtype)
    head = head.unflatten(0, (problem.groups, -1))
    if each:
        pixels = pixels.flatten(0, 1)[None]  # one image, of all: its tables say which
    planes = not each and not is_channels_last(image)
    out = product(pixels, tables(problem), head, planes)
    shape = image.shape[0], *problem.grid.out_shape, problem.out_channels
    return out.reshape(shape).movedim(-1, 1)
