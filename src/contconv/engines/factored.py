"""The sum over taps first, then one product with the head: Eq. 1, its sums exchanged.

With the kernel a basis times a head, ``K(d)[o, c] = sum_r basis(d)[r] head[o, c, r]``,

    Z[n, p, c, r] = sum_k  basis[p, k, r] image[n, c, m_k]
    out[n, o, p]  = sum_cr head[o, c, r] Z[n, p, c, r]

which is exact, and never forms the weights of a single pixel. Both products are at
least float32: rounded to bfloat16, Z would lose what the head makes cancel.
"""

import torch
from torch import Tensor

from contconv._kept import LARGEST
from contconv._types import Float
from contconv.engines._basis import weighted_basis
from contconv.engines._channels import channels_last
from contconv.engines._contract import Cost, Problem
from contconv.engines._moments import chunks, moments_then_head

# Bytes of the basis that are made at once, a slab of output rows at a time.
_SLAB = 2**20


def unsupported(problem: Problem) -> list[str]:
    return []


def cost(problem: Problem) -> Cost:
    n, c = problem.image.shape[:2]
    grid, kernel = problem.grid, problem.kernel
    out_channels, _, rank = kernel.head.shape
    moments = n * c * problem.pixels * rank
    basis = grid.batch * problem.pixels * grid.taps * rank
    itemsize = problem.basis_dtype.itemsize
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
        + problem.image.numel() * itemsize,
        time=time * (2.8 if problem.learns else 1),
    )


def apply(problem: Problem) -> Float[Tensor, "n o *out_shape"]:
    pixels = channels_last(problem.image.to(problem.basis_dtype))
    pixels = pixels.flatten(1, -2)
    head = problem.kernel.head.to(pixels).unflatten(0, (problem.groups, -1))
    slabs = []
    for rows in _slabs(problem):
        source, basis = weighted_basis(problem, rows)
        if len(source) == 1:
            slabs.append(moments_then_head(pixels, source[0], basis[0], head))
        else:
            each = zip(pixels.split(1), source, basis, strict=True)
            slabs.append(torch.cat([moments_then_head(*one, head) for one in each]))
    return torch.cat(slabs, 2).reshape(problem.shape)


def _slabs(problem: Problem) -> list[slice]:
    """Rows of the output whose basis fits into `_SLAB`."""
    if torch.compiler.is_compiling():
        return [slice(None)]  # the sizes may be symbols
    grid, rows = problem.grid, problem.grid.out_shape[0]
    row = grid.batch * (problem.pixels // max(1, rows)) * grid.taps
    row *= problem.kernel.head.shape[2] * problem.basis_dtype.itemsize
    step = max(1, _SLAB // max(1, row))
    return [slice(start, start + step) for start in range(0, max(1, rows), step)]
