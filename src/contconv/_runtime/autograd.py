"""Tracing and transforms: whether a compiler, functorch or forward mode looks on."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad


def differentiable_gradients(
    out: Tensor, inputs: Sequence[Tensor], wanted: Sequence[bool], gradient: Tensor
) -> list[Tensor | None]:
    """The gradients of ``out`` to those inputs that are ``wanted``, by autograd."""
    leaves = [value for value, want in zip(inputs, wanted, strict=True) if want]
    found = iter(torch.autograd.grad(out, leaves, gradient, create_graph=True))
    return [next(found) if want else None for want in wanted]


def is_compiled() -> bool:
    """Whether torch.compile traces the call, which can call custom operators."""
    return (
        torch.compiler.is_compiling()
        and not torch.compiler.is_exporting()
        and not torch._C._are_functorch_transforms_active()
    )


def is_transformed() -> bool:
    """Whether anything but plain autograd traces or transforms the call.

    Then it may neither write tensors in place nor use custom autograd functions: it is
    made of torch's operators alone, and of our own where `is_compiled`.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )
