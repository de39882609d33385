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
from contconv.engines._contract import Cost, Problem
from contconv.engines._gather import gather


def unsupported(problem: Problem) -> list[str]:
    return []


def cost(problem: Problem) -> Cost:
    n, c = problem.image.shape[:2]
    grid, kernel = problem.grid, problem.kernel
    out_channels, _, rank = kernel.head.shape
    neighbors = problem.pixels * grid.taps
    moments = n * c * problem.pixels * rank
    return Cost(
        multiply_adds=moments * (grid.taps + out_channels // problem.groups),
        memory=problem.basis_dtype.itemsize
        * (
            2 * n * c * neighbors
            + moments
            + grid.batch * neighbors * (2 * rank + 2 + kernel.ndim)
        ),
    )


def apply(problem: Problem) -> Float[Tensor, "n o *out_shape"]:
    dtype, groups = problem.basis_dtype, problem.groups
    source, distances, tap_weights = problem.neighbors()
    basis = problem.kernel.basis(distances) * tap_weights[..., None]
    head = problem.kernel.head.to(basis).unflatten(0, (groups, -1))
    near = gather(problem.image, source).to(dtype).unflatten(1, (groups, -1))
    if basis.shape[0] == 1:
        moments = torch.einsum("ngcpk,pkr->pngcr", near, basis[0])
    else:
        moments = torch.einsum("ngcpk,npkr->pngcr", near, basis)
    out = torch.einsum("pngcr,gocr->ngop", moments, head)
    return out.reshape(problem.shape)
