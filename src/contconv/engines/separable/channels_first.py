"""The steps of a separable convolution on planes: for few channels.

A channel is an image here, and a row of pixels what products work on; pixels of a few
numbers would make them slow.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from contconv._runtime.shapes import Float
from contconv.engines.linear import product
from contconv.engines.separable.operators import contract_axis, expand_axis
from contconv.engines.separable.resample import Along, function_of, rank_of


def late_planes(
    image: Float[Tensor, "n i *in_shape"],
    head: Float[Tensor, "1 o i *ranks"],
    axes: Sequence[Along],
) -> Float[Tensor, "n o *out_shape"]:
    """Gain the basis of every axis, last axis first, then mix: for few channels in."""
    data, ndim = image, len(axes)
    for i in reversed(range(ndim)):
        # [n, *ranks, i, *pixels], where the first axis' rank comes first.
        data = torch.stack(_gained(data, i - ndim, axes[i]), 1)
    matrix = head[0].movedim(1, -1).flatten(1)
    rows = data.flatten(1, ndim + 1)
    return _mixed(matrix, rows)


def early_planes(
    image: Float[Tensor, "n i *in_shape"],
    head: Float[Tensor, "1 o i *ranks"],
    axes: Sequence[Along],
) -> Float[Tensor, "n o *out_shape"]:
    """Mix, then spend the basis of every axis, last first: for few channels out."""
    ndim, (_, o, i, *ranks) = len(axes), head.shape
    matrix = head[0].permute(*range(2, 2 + ndim), 0, 1).reshape(-1, i)
    data = _mixed(matrix, image).unflatten(1, (*ranks, o))
    for axis in reversed(range(ndim)):
        # [n, *ranks, o, *pixels]: this axis has the last rank that is left.
        data = _spent(data.movedim(1 + axis, axis - ndim), axis - ndim - 1, axes[axis])
    return data


def _mixed(
    matrix: Float[Tensor, "mixed channels"], image: Float[Tensor, "n channels *shape"]
) -> Float[Tensor, "n mixed *shape"]:
    pixels = image.flatten(2).transpose(1, 2)
    if len(pixels) == 1:
        out = product(matrix, pixels[0])[None]
    else:
        out = torch.matmul(matrix, pixels.transpose(1, 2))
    return out.view(len(image), len(matrix), *image.shape[2:])


def _gained(data: Tensor, dim: int, along: Along) -> list[Tensor]:
    """One of the last axes resampled, by each function of its basis."""
    shape, rank = data.shape, rank_of(along)
    outer, rest = shape[:dim], shape[dim:][1:]
    near = data.reshape(outer.numel(), shape[dim], 1, rest.numel())
    if not rest:
        each = [expand_axis(near, function_of(along, r)) for r in range(rank)]
        return [out.view(*outer, out.shape[1]) for out in each]
    out = expand_axis(near, along)
    out = out.view(*outer, out.shape[1] // rank, rank, *rest)
    return list(out.unbind(len(outer) + 1))


def _spent(data: Tensor, dim: int, along: Along) -> Tensor:
    """One of the last axes resampled, its rank behind it spent."""
    shape = data.shape
    outer, rest = shape[:dim], shape[dim:][2:]
    near = data.reshape(outer.numel(), shape[dim], rank_of(along), rest.numel())
    out = contract_axis(near, along)
    return out.view(*outer, out.shape[1], *rest)
