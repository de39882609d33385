"""The head applied: channels and basis functions in, channels out."""

import torch
from torch import Tensor

from contconv._types import Float
from contconv.engines._product import product


def spend(
    rows: Float[Tensor, "pixels rank_g_i"], head: Float[Tensor, "*left g o i rank"]
) -> Float[Tensor, "left_g_o pixels"]:
    """Mix the channels and sum over the basis, for all that is ``left`` of it."""
    groups, o, i, rank = head.shape[-4:]
    if groups == 1:
        return product(head.transpose(-1, -2).reshape(-1, i * rank), rows)
    rows = rows.reshape(len(rows), rank, groups, i)
    if i == o == 1:
        scale = head.reshape(-1, groups, rank)
        return torch.einsum("prg,lgr->lgp", rows[..., 0], scale).flatten(0, 1)
    head = head.reshape(-1, groups, o, i, rank)
    return torch.einsum("prgi,lgoir->lgop", rows, head).flatten(0, 2)


def widen(
    rows: Float[Tensor, "pixels g_i"], head: Float[Tensor, "*left g o i rank"]
) -> Float[Tensor, "pixels rank left_g_o"]:
    """Mix the channels, gaining the basis."""
    groups, o, i, rank = head.shape[-4:]
    if groups == 1:
        matrix = head.movedim(-1, 0).reshape(-1, i)
        return product(rows, matrix).view(len(rows), rank, len(matrix) // rank)
    if i == o == 1:
        scale = head.movedim(-1, 0).reshape(rank, -1, groups)
        return (rows[:, None, None] * scale).flatten(2)
    head = head.reshape(-1, groups, o, i, rank)
    out = torch.einsum("pgi,lgoir->prlgo", rows.reshape(len(rows), groups, i), head)
    return out.flatten(2)


def spend_rows(
    rows: Float[Tensor, "pixels rank_g_i"], head: Float[Tensor, "g o i rank"]
) -> Float[Tensor, "pixels g_o"]:
    """`spend`, with the channels of a pixel together."""
    groups, o, i, rank = head.shape
    if groups == 1:
        return product(rows, head[0].transpose(1, 2).reshape(o, rank * i))
    rows = rows.view(len(rows), rank, groups, i)
    return torch.einsum("prgi,goir->pgo", rows, head).flatten(1)


def spend_backward(
    gradient: Float[Tensor, "g_o pixels"],
    rows: Float[Tensor, "pixels rank_g_i"],
    head: Float[Tensor, "g o i rank"],
) -> tuple[Tensor, Tensor]:
    """The gradients of `spend` to its rows and to the head."""
    groups, o, i, rank = head.shape
    if groups == 1:
        matrix = head[0].transpose(1, 2).reshape(o, rank * i)
        grad_rows = product(gradient.T, matrix.T)
        grad_head = product(gradient, rows.T).view(1, o, rank, i)
        return grad_rows, grad_head.transpose(2, 3)
    rows = rows.view(len(rows), rank, groups, i)
    gradient = gradient.view(groups, o, len(rows))
    grad_rows = torch.einsum("gop,goir->prgi", gradient, head)
    return grad_rows.flatten(1), torch.einsum("gop,prgi->goir", gradient, rows)
