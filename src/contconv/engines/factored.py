"""The sum over taps first, then one product with the head: Eq. 1, its sums exchanged.

With the kernel a basis times a head, ``K(d)[o, c] = sum_r basis(d)[r] head[o, c, r]``,

    Z[n, p, c, r] = sum_k  basis[p, k, r] image[n, c, m_k]
    out[n, o, p]  = sum_cr head[o, c, r] Z[n, p, c, r]

which is exact, and never forms the weights of a single pixel. Both products are at
least float32: rounded to bfloat16, Z would lose what the head makes cancel.
"""

import torch
from torch import Tensor

from contconv._types import Float
from contconv.engines._basis import weighted_basis
from contconv.engines._contract import Cost, Problem
from contconv.engines._moments import moments_then_head

# Bytes of the basis that are made at once, a slab of output rows at a time.
_SLAB = 2**25


def unsupported(problem: Problem) -> list[str]:
    return []


def cost(problem: Problem) -> Cost:
    n, c = problem.image.shape[:2]
    grid, kernel = problem.grid, problem.kernel
    out_channels, _, rank = kernel.head.shape
    moments = n * c * problem.pixels * rank
    basis = grid.batch * problem.pixels * grid.taps * rank
    itemsize = problem.basis_dtype.itemsize
    kept = torch.is_grad_enabled() or grid.batch > 1
    mixed = moments * (out_channels // problem.groups)
    time = 490_000 + 0.018 * moments * grid.taps + 0.016 * mixed + 3.0 * basis
    return Cost(
        multiply_adds=moments * grid.taps + mixed,
        memory=(2 * basis * itemsize if kept else min(2 * basis * itemsize, 4 * _SLAB))
        + problem.image.numel() * itemsize,
        time=time + 2.1 * problem.numbers,
    )


def apply(problem: Problem) -> Float[Tensor, "n o *out_shape"]:
    image = problem.image.flatten(2).to(problem.basis_dtype)
    head = problem.kernel.head.to(image).unflatten(0, (problem.groups, -1))
    slabs = []
    for rows in _slabs(problem):
        source, basis = weighted_basis(problem, rows)
        if len(source) == 1:
            slabs.append(moments_then_head(image, source[0], basis[0], head))
        else:
            each = zip(image.split(1), source, basis, strict=True)
            slabs.append(torch.cat([moments_then_head(*one, head) for one in each]))
    return torch.cat(slabs, 2).reshape(problem.shape)


def _slabs(problem: Problem) -> list[slice]:
    """Rows of the output whose basis fits into `_SLAB`."""
    grid, rows = problem.grid, problem.grid.out_shape[0]
    row = grid.batch * (problem.pixels // rows) * grid.taps
    row *= problem.kernel.head.shape[2] * problem.basis_dtype.itemsize
    step = max(1, _SLAB // row)
    return [slice(start, start + step) for start in range(0, rows, step)]
