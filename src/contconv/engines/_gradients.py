"""Gradients that can be differentiated again."""

from collections.abc import Sequence

import torch
from torch import Tensor


def differentiable_gradients(
    out: Tensor, inputs: Sequence[Tensor], wanted: Sequence[bool], gradient: Tensor
) -> list[Tensor | None]:
    """The gradients of ``out`` to those inputs that are ``wanted``, by autograd."""
    leaves = [value for value, want in zip(inputs, wanted, strict=True) if want]
    found = iter(torch.autograd.grad(out, leaves, gradient, create_graph=True))
    return [next(found) if want else None for want in wanted]
