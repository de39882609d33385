"""Eq. 1 with its sums exchanged: over the taps first, then one product with the head.

With the kernel a basis times a head, ``K(d)[o, c] = sum_r basis(d)[r] head[o, c, r]``,

    Z[n, p, c, r] = sum_k  basis[p, k, r] image[n, c, m_k]
    out[n, o, p]  = sum_cr head[o, c, r] Z[n, p, c, r]

which is exact, and never forms the weights of a single pixel. Both products are at
least float32: rounded to bfloat16, Z would lose what the head makes cancel.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from contconv._runtime.autograd import has_values
from contconv._runtime.cache import LARGEST
from contconv._runtime.memory_format import channels_last
from contconv._runtime.shapes import Float
from contconv.engines.factored.chunks import chunks
from contconv.engines.factored.operators import moments_then_head
from contconv.engines.problem import Cost, Problem
from contconv.engines.weights import TapWeights, tap_weights

# Bytes of the basis that are made at once, a slab of output rows at a time.
_SLAB = 2**20

# Numbers of the input that are rearranged at once: 4 MiB in float32.
_WINDOW = 2**20


def unsupported(problem: Problem) -> list[str]:
    return []


def cost(problem: Problem) -> Cost:
    n, c = problem.image.shape[:2]
    grid, kernel = problem.grid, problem.kernel
    out_channels, _, rank = kernel.head.shape
    moments = n * c * problem.pixels * rank
    basis = grid.batch * problem.pixels * grid.taps * rank
    image, itemsize = problem.image.numel(), problem.basis_dtype.itemsize
    kept = problem.learns or grid.batch > 1
    mixed = moments * (out_channels // problem.groups)
    known = kernel.basis_key is not None
    price = 3.0 if not known else 1.6 if basis > LARGEST else 0.0
    time = 600 + 21_000 * n * chunks(problem.pixels, max(grid.taps, rank) * c)
    time += 0.031 * moments * grid.taps + 0.0082 * mixed + 0.013 * moments
    time += price * basis + 0.74 * problem.numbers
    return Cost(
        multiply_adds=moments * grid.taps + mixed,
        memory=(2 * basis * itemsize if kept else min(2 * basis * itemsize, 4 * _SLAB))
        + itemsize * (image if kept else min(image, 2 * _WINDOW)),
        time=time * (2.8 if problem.learns else 1),
    )


def apply(problem: Problem) -> Float[Tensor, "n o *out_shape"]:
    image = problem.image.flatten(2).to(problem.basis_dtype)
    head = problem.kernel.head.to(image).unflatten(0, (problem.groups, -1))
    if problem.learns or not has_values(problem.image) or problem.grid.batch > 1:
        pixels = channels_last(image)
        slabs = [_whole(pixels, one, head) for one in _weights(problem)]
        return torch.cat(slabs, 2).reshape(problem.shape)
    out, first = image.new_empty(*problem.shape[:2], problem.pixels), 0
    for weights in _weights(problem):
        last = first + weights.source.shape[1]
        _write(image, weights, head, out[:, :, first:last])
        first = last
    return out.view(problem.shape)


def _weights(problem: Problem) -> Iterator[TapWeights]:
    return (tap_weights(problem, rows) for rows in _slabs(problem))


def _whole(
    pixels: Float[Tensor, "n pixels c"], weights: TapWeights, head: Tensor
) -> Float[Tensor, "n out p"]:
    if len(weights.source) == 1:
        return moments_then_head(pixels, weights.source[0], weights.values[0], head)
    each = zip(pixels.split(1), weights.source, weights.values, strict=True)
    return torch.cat([moments_then_head(*one, head) for one in each])


def _write(
    image: Float[Tensor, "n c pixels"],
    weights: TapWeights,
    head: Tensor,
    out: Float[Tensor, "n out p"],
) -> None:
    """Write the output of a slab, of a few images and the pixels it reads at a time."""
    if not out.numel():
        return
    low, high = (int(end) for end in weights.source.aminmax())
    window = TapWeights(weights.source - low, weights.values)
    near = image[:, :, low : high + 1]
    count = max(1, _WINDOW // near[0].numel())
    for some, into in zip(near.split(count), out.split(count), strict=True):
        into.copy_(_whole(channels_last(some), window, head))


def _slabs(problem: Problem) -> list[slice]:
    """Rows of the output whose basis fits into `_SLAB`."""
    if torch.compiler.is_compiling():
        return [slice(None)]  # the sizes may be symbols
    grid, rows = problem.grid, problem.grid.out_shape[0]
    row = grid.batch * (problem.pixels // max(1, rows)) * grid.taps
    row *= problem.kernel.head.shape[2] * problem.basis_dtype.itemsize
    step = max(1, _SLAB // max(1, row))
    return [slice(start, start + step) for start in range(0, max(1, rows), step)]
