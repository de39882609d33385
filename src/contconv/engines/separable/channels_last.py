"""Separable convolution of channels-last pixels, its steps in a given order."""

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from operator import add

import torch
from torch import Tensor

from contconv._runtime.shapes import Float
from contconv.engines.linear import contract_head, expand_head
from contconv.engines.separable.operators import contract_axis, expand_axis
from contconv.engines.separable.plan import HEAD
from contconv.engines.separable.resample import Along, function_of, rank_of

# What the head mixes: which function of the basis it is of, for each axis that gained
# its basis function by function, and the pixels with their channels.
Branch = tuple[dict[int, int], Tensor]


def run_steps(
    pixels: Float[Tensor, "n *in_shape c"],
    head: Float[Tensor, "g o i *ranks"],
    axes: Sequence[Along],
    order: tuple[int, ...],
) -> Float[Tensor, "n mixed *out_shape"]:
    """The steps in ``order``, on pixels whose channels lie together.

    The last axis gains its whole basis at once, as so many more channels; another axis
    gains one function after the other. The head leaves rows of pixels.
    """
    before, after = order[: order.index(HEAD)], order[order.index(HEAD) + 1 :]
    branches = _gained(pixels, axes, before)
    if before[:1] == (len(axes) - 1,):
        data = _mixed(branches, head)
    else:
        data = _mixed_then_spent(branches, head, axes[-1])
        after = after[1:]
    return _spent(data, axes, after)


def _gained(
    pixels: Tensor, axes: Sequence[Along], before: tuple[int, ...]
) -> list[Branch]:
    """The axes before the head resampled."""
    branches: list[Branch] = [({}, pixels)]
    for axis in before:
        rank = rank_of(axes[axis])
        if axis == len(axes) - 1:
            wide = _along(axis, pixels, axes[axis])
            size = wide.shape[-2] // rank
            branches = [({}, wide.unflatten(-2, (size, rank)).flatten(-2))]
        else:
            each = [function_of(axes[axis], r) for r in range(rank)]
            branches = [
                ({**fixed, axis: r}, _along(axis, data, along))
                for fixed, data in branches
                for r, along in enumerate(each)
            ]
    return branches


def _along(axis: int, data: Tensor, along: Along) -> Tensor:
    """Resample one of the axes of pixels of ``[n, *pixels, channels]``."""
    shape = data.shape
    outer, inner = shape[: 1 + axis].numel(), shape[2 + axis :].numel()
    out = expand_axis(data.reshape(outer, shape[1 + axis], 1, inner), along)
    return out.view(*shape[: 1 + axis], out.shape[1], *shape[2 + axis :])


def _at(head: Tensor, fixed: dict[int, int]) -> Float[Tensor, "*left g o i b"]:
    """The head for a branch, the basis functions that are left before its channels.

    The last of the axes that are left comes first.
    """
    axes = range(head.ndim - 4)
    head = head[(..., *(fixed.get(i, slice(None)) for i in axes), slice(None))]
    left = range(head.ndim - 2, 2, -1)
    return head.permute(*left, 0, 1, 2, head.ndim - 1)


def _summed(
    mix: Callable[[Tensor, Tensor], Tensor], branches: list[Branch], head: Tensor
) -> tuple[Tensor, torch.Size]:
    """All branches mixed, and the sizes of the basis that is left before them."""
    parts = [_at(head, fixed) for fixed, _ in branches]
    pairs = zip(branches, parts, strict=True)
    mixed = (mix(data.flatten(0, -2), part) for (_, data), part in pairs)
    return reduce(add, mixed), parts[0].shape[:-4]


def _mixed(
    branches: list[Branch], head: Tensor
) -> Float[Tensor, "n *outer_left mixed last"]:
    """Mix the channels, spending the basis of the last axis."""
    out, left = _summed(contract_head, branches, head)
    shape = branches[0][1].shape
    mixed = head.shape[:2].numel()
    rows = out.view(*left, mixed, *shape[:-1])  # left, mixed, n, outer, last
    k = len(left) + 1
    return rows.permute(*range(k, rows.ndim - 1), *range(k), rows.ndim - 1)


def _mixed_then_spent(
    branches: list[Branch], head: Tensor, along: Along
) -> Float[Tensor, "n *outer_left mixed last"]:
    """Mix the channels, gaining the basis of the last axis, and resample that."""
    out, left = _summed(expand_head, branches, head)
    *outer, last, _ = branches[0][1].shape
    rank, mixed = rank_of(along), head.shape[:2].numel()
    out = out.view(prod(outer), last, rank, out.shape[-1])
    spent = contract_axis(out, along, layout="columns")
    return spent.view(*outer, *left, mixed, spent.shape[-1])


def _spent(
    data: Tensor, axes: Sequence[Along], after: tuple[int, ...]
) -> Float[Tensor, "n mixed *out_shape"]:
    """Resample the axes after the head: ``[n, *outer, *left, mixed, last]``."""
    outer = len(axes) - 1
    for axis in after:
        shape = data.shape
        rank = rank_of(axes[axis])
        rest = shape[2 + axis : 1 + outer] + shape[2 + outer :]
        near = data.movedim(1 + outer, 2 + axis)
        near = near.reshape(
            shape[: 1 + axis].numel(), shape[1 + axis], rank, rest.numel()
        )
        out = contract_axis(near, axes[axis])
        data = out.view(*shape[: 1 + axis], out.shape[1], *rest)
    return data.movedim(-2, 1)
