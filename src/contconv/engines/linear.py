"""Matrix products, and the head applied by them."""

import torch
from torch import Tensor

from contconv._runtime.shapes import Float


def contract_head(
    rows: Float[Tensor, "pixels rank_g_i"], head: Float[Tensor, "g o i rank"]
) -> Float[Tensor, "pixels g_o"]:
    """Contract channels and rank with the head."""
    groups, o, i, rank = head.shape
    if groups == 1:
        return product(rows, head[0].transpose(1, 2).reshape(o, rank * i))
    rows = rows.view(len(rows), rank, groups, i)
    return torch.einsum("prgi,goir->pgo", rows, head).flatten(1)


def contract_head_backward(
    gradient: Float[Tensor, "g_o pixels"],
    rows: Float[Tensor, "pixels rank_g_i"],
    head: Float[Tensor, "g o i rank"],
) -> tuple[Tensor, Tensor]:
    """The gradients of `contract_head` to its rows and to the head."""
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


def product(a: Float[Tensor, "m k"], b: Float[Tensor, "n k"]) -> Float[Tensor, "m n"]:
    """``a @ b.T``."""
    return torch.mm(a, b.T)
