"""Eq. 1 as written: gather, weigh, sum. Slow, memory-hungry, and the definition.

Sec. 3 of the paper builds three tensors: the neighbors N ``[N, 1, C, K, h, w]``, their
distances D ``[K, 2, h, w]``, and from these, by the Internal-Net, the weights
W ``[1, O, C, K, h, w]``. Eq. 3 sums their product over channels and neighbors. Here the
pixels ``h, w`` are one axis ``p``, and the axes are in an order that multiplies fast.
"""

import torch
from torch import Tensor

from contconv._runtime.shapes import Float, Int
from contconv.engines.problem import Cost, Problem


def gather(
    image: Float[Tensor, "n c *in_shape"], source: Int[Tensor, "b p k"]
) -> Float[Tensor, "n c p k"]:
    """The pixels ``source`` of the flattened image; ``b`` is 1 or ``n``."""
    flat = image.flatten(2)
    if source.shape[0] == 1:
        return flat.index_select(2, source.flatten()).unflatten(2, source.shape[1:])
    batched = source.flatten(1)[:, None].expand(-1, flat.shape[1], -1)
    return flat.gather(2, batched).unflatten(2, source.shape[1:])


def unsupported(problem: Problem) -> list[str]:
    return []


def cost(problem: Problem) -> Cost:
    n, c = problem.image.shape[:2]
    grid, kernel = problem.grid, problem.kernel
    neighbors = problem.pixels * grid.taps
    weights = grid.batch * neighbors * problem.out_channels * kernel.head.shape[1]
    rank = kernel.head.shape[2]
    products = n * neighbors * problem.out_channels * (c // problem.groups)
    return Cost(
        multiply_adds=weights * rank + products,
        memory=problem.image.element_size() * (n * c * neighbors + weights)
        + problem.basis_dtype.itemsize
        * (weights + grid.batch * neighbors * (rank + 2 + kernel.ndim)),
        time=300_000 + 0.05 * weights * rank + 3.0 * weights + 0.1 * products,
    )


def apply(problem: Problem) -> Float[Tensor, "n o *out_shape"]:
    image, groups = problem.image, problem.groups
    source, distances, tap_weights = problem.neighbors()
    near = gather(image, source).unflatten(1, (groups, -1))
    weights = problem.kernel(distances) * tap_weights[..., None, None]
    weights = weights.to(image.dtype).unflatten(3, (groups, -1))
    if weights.shape[0] == 1:
        out = torch.einsum("ngcpk,pkgoc->ngop", near, weights[0])
    else:
        out = torch.einsum("ngcpk,npkgoc->ngop", near, weights)
    return out.reshape(problem.shape).to(problem.basis_dtype)
