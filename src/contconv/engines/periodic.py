"""Rational scales: one strided convolution per sub-pixel phase, interleaved.

At a scale of ``p / q`` the grid repeats after ``p`` output pixels, which are ``q``
input pixels. So every p-th output pixel sees the same filter, the kernel at that
phase's distances, and Eq. 1 is ``F.conv`` with stride ``q``: the paper's own way, for
scales with few phases.
"""

from collections.abc import Iterator
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.grid import AxisGrid
from contconv._grid.padding import is_source, source_index
from contconv._grid.taps import weigh
from contconv._runtime.memory_format import like_layout
from contconv._runtime.shapes import Float
from contconv.engines.problem import Cost, Problem
from contconv.engines.weights import phase_weights

CONV = (F.conv1d, F.conv2d, F.conv3d)

# So many filters cost as much as an image of 8 x 8 pixels, times the kernel's rank.
MAX_PHASES = 64


def unsupported(problem: Problem) -> list[str]:
    if not isinstance(problem.grid, AxisGrid):
        return ["points have no period; it takes a scale or a size"]
    phases = prod([axis.phases for axis in problem.grid.axes])
    if phases > MAX_PHASES:
        return [f"{phases} sub-pixel phases; at most {MAX_PHASES} are worth it"]
    return []


def cost(problem: Problem) -> Cost:
    axes, (*channels, rank) = _axes(problem), problem.kernel.head.shape
    calls = prod([axis.phases for axis in axes])
    widths = [[_window(axis, n)[1] for n in range(axis.phases)] for axis in axes]
    filters = calls * prod(channels) * prod(map(max, widths))
    each = problem.shape[0] * prod(channels) * prod(map(_periods, axes))
    work = each * prod(map(sum, widths)) + filters * rank
    # Filters that learn are made anew at each call.
    time = 155_000 * calls * (1 + problem.learns)
    # Each convolution rearranges the whole image.
    time += 0.8 * calls * problem.image.numel()
    time += 0.0065 * work + 0.023 * problem.numbers
    if problem.image.device.type == "cuda":
        # cuDNN's on a large GPU: 30 us for a call, 20 fs for a multiply-add, 4 ps for a
        # number. They are estimates, beside those of `fused`; nothing was timed there.
        time = 30_000 * calls + 2e-5 * work + 4e-3 * problem.numbers
    numbers = 3 * filters + 2 * problem.image.numel() + 2 * prod(problem.shape)
    return Cost(
        multiply_adds=work,
        memory=problem.basis_dtype.itemsize * numbers,
        time=time * (2.5 if problem.learns else 1),
    )


def apply(problem: Problem) -> Float[Tensor, "n o *out_shape"]:
    image, axes = like_layout(problem.image, problem.image), _axes(problem)
    if image.dtype == torch.float16 and image.device.type == "cpu":
        # Its convolutions are not vectorised there: 100 times slower than float32's.
        image = image.float()
    filters = _filters(problem).to(image.dtype)
    parts = list(_phases(problem, image, filters))
    return _interleaved(torch.stack(parts), axes).to(problem.basis_dtype)


def _axes(problem: Problem) -> tuple[Axis, ...]:
    assert isinstance(problem.grid, AxisGrid)
    return problem.grid.axes


def _periods(axis: Axis) -> int:
    """How often the phases repeat along the axis, the last time perhaps in part."""
    return -(-axis.out_size // axis.phases)


def _window(axis: Axis, n: int) -> tuple[int, int]:
    """The first pixel under the kernel of output pixel ``n``, and how many there are.

    Those exactly on its edges included.
    """
    first = axis.first_neighbor(n)
    return first, (axis.position(n) + axis.reach) // axis.unit + 1 - first


def _filters(problem: Problem) -> Float[Tensor, "*phases_o_i_taps"]:
    """The kernel at the distances of every phase, in windows as wide as the widest.

    One dimension of phases for each axis comes first, one of taps for each last.
    """
    dtype, device = problem.basis_dtype, problem.image.device
    taps = []
    for axis in _axes(problem):
        windows = [_window(axis, n) for n in range(axis.phases)]
        tap = torch.arange(max(width for _, width in windows), device=device)
        first = torch.tensor([first for first, _ in windows], device=device)
        phases = torch.arange(axis.phases, device=device)
        taps.append(weigh(axis, phases, first[:, None] + tap, dtype))
    ndim = len(taps)
    values = phase_weights(problem.kernel, taps)
    return values.movedim((-2, -1), (ndim, ndim + 1))


def _phases(
    problem: Problem,
    image: Float[Tensor, "n c *read"],
    filters: Float[Tensor, "*phases_o_i_taps"],
    reads: tuple[tuple[int, int], ...] = (),
) -> Iterator[Float[Tensor, "n o *periods"]]:
    """The outputs of every combination of phases, those of the last axis fastest.

    Args:
        problem: The convolution.
        image: Its pixels, as the phases that are chosen read them.
        filters: Of the axes whose phase is not chosen yet.
        reads: Strides and zeros on either side, of the axes whose phase is.
    """
    axes, i = _axes(problem), len(reads)
    if i == len(axes):
        yield _convolved(problem, image, filters, *zip(*reads, strict=True))
        return
    for n in range(axes[i].phases):
        mode, width = problem.grid.padding_mode, _window(axes[i], n)[1]
        read, stride, padding = _read(image, 2 + i, axes[i], n, mode)
        chosen = filters[n].narrow(i - len(axes), 0, width)
        yield from _phases(problem, read, chosen, (*reads, (stride, padding)))


def _convolved(
    problem: Problem,
    image: Float[Tensor, "n c *read"],
    weight: Float[Tensor, "o i *taps"],
    strides: tuple[int, ...],
    paddings: tuple[int, ...],
) -> Float[Tensor, "n o *periods"]:
    """The outputs of one phase of each axis, by a strided convolution."""
    axes, image = _axes(problem), like_layout(image, problem.image)
    convolve = CONV[len(axes) - 1]
    out = convolve(image, weight, None, strides, paddings, groups=problem.groups)
    return out[(..., *[slice(_periods(axis)) for axis in axes])]


def _read(
    image: Tensor, dim: int, axis: Axis, n: int, mode: str
) -> tuple[Tensor, int, int]:
    """The pixels of an axis that a phase reads, its stride, and zeros on either side.

    The image itself, if a convolution's own padding will do; else a copy.
    """
    (first, width), count = _window(axis, n), _periods(axis)
    stride = axis.down if count > 1 else width
    outputs = (axis.in_size - 2 * first - width) // stride + 1
    if mode == "zeros" and first <= 0 and count <= outputs <= count + 1:
        return image, stride, -first
    if stride < width:
        pixels = first + torch.arange(stride * (count - 1) + width, device=image.device)
    else:  # What no window reads would only be copied; it may be without end.
        starts = first + stride * torch.arange(count, device=image.device)
        tap = torch.arange(width, device=image.device)
        pixels, stride = (starts[:, None] + tap).flatten(), width
    read = image.index_select(dim, source_index(pixels, axis.in_size, mode))
    inside = is_source(pixels, axis.in_size, mode)
    if inside is not None:
        outside = ~inside.view(-1, *[1] * (image.ndim - 1 - dim))
        read = read.masked_fill(outside, 0)
    return read, stride, 0


def _interleaved(
    parts: Float[Tensor, "phases n o *periods"], axes: tuple[Axis, ...]
) -> Float[Tensor, "n o *out_shape"]:
    """The output, from the results for every combination of phases."""
    ndim = len(axes)
    parts = parts.unflatten(0, [axis.phases for axis in axes])
    pixels = [d for i in range(ndim) for d in (ndim + 2 + i, i)]  # periods, then phases
    out = parts.permute(ndim, ndim + 1, *pixels)
    out = out.reshape(*out.shape[:2], *[axis.phases * _periods(axis) for axis in axes])
    return out[(..., *[slice(axis.out_size) for axis in axes])]
