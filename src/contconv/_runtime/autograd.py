"""Tracing and transforms: whether a compiler, functorch or forward mode looks on."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

from contconv._runtime.numberless import has_numbers

# Of torch.autograd.grad(is_grads_batched=True), which is no transform of torch.func.
_BATCHED: Any = torch._C._parse_dispatch_key("Batched")

Function = TypeVar("Function")

_FAKE = torch._C._TorchDispatchModeKey.FAKE


def differentiable_gradients(
    out: Tensor, inputs: Sequence[Tensor], wanted: Sequence[bool], gradient: Tensor
) -> list[Tensor | None]:
    """The gradients of ``out`` to those inputs that are ``wanted``, by autograd."""
    leaves = [value for value, want in zip(inputs, wanted, strict=True) if want]
    create = torch.is_grad_enabled()
    found = iter(torch.autograd.grad(out, leaves, gradient, create_graph=create))
    return [next(found) if want else None for want in wanted]


def gradients_of(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    wanted: Sequence[bool],
    gradient: Tensor,
) -> list[Tensor | None]:
    """The gradients of a function of tensors to those that are ``wanted``.

    The function is computed again; where gradients are recorded, they are
    differentiable.
    """
    if not torch.is_grad_enabled():
        pairs = zip(inputs, wanted, strict=True)
        inputs = [one.detach().requires_grad_(want) for one, want in pairs]
    with torch.enable_grad():
        out = function(*inputs)
    return differentiable_gradients(out, inputs, wanted, gradient)


def clamped(value: Tensor, least: float, most: float = math.inf) -> Tensor:
    """The value within bounds; on a bound, its gradient goes on as within them.

    That of `Tensor.clamp` does so up to PyTorch 2.14, and is 0 there in 2.15.
    """
    return torch.where(value < least, least, torch.where(value > most, most, value))


def is_batched(gradient: Tensor) -> bool:
    """Whether it stands for several gradients: of vmap, or ``is_grads_batched``.

    A backward pass may then write nothing in place, and call no function of its own.
    """
    keys = torch._C._dispatch_keys(gradient)
    return keys.has(_BATCHED) or keys.has(torch._C.DispatchKey.FuncTorchBatched)


def is_compiled() -> bool:
    """Whether torch.compile traces the call, which can call custom operators."""
    return (
        torch.compiler.is_compiling()
        and not torch.compiler.is_exporting()
        and not torch._C._are_functorch_transforms_active()
    )


def has_values(*tensors: Tensor) -> bool:
    """Whether values may be looked at: not of tensors that are shapes, nor traced."""
    return not is_transformed() and all(map(has_numbers, tensors))


def is_transformed() -> bool:
    """Whether anything but plain autograd traces or transforms the call.

    Then it may neither write tensors in place nor use custom autograd functions: it is
    made of torch's operators alone, and of our own where `is_compiled`. Nor may it read
    numbers: in FakeTensorMode there are none.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or torch._C._get_dispatch_mode(_FAKE) is not None
    )


def has_symbolic_sizes() -> bool:
    """Whether sizes may be no numbers: a compiler looks on, or torch.jit.trace."""
    return torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None


@contextmanager
def _untraced() -> Iterator[None]:
    state = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)  # type: ignore
    try:
        yield
    finally:
        torch._C._set_tracing_state(state)  # type: ignore


def untraced() -> AbstractContextManager[None]:
    """A context in which sizes are numbers, not what torch.jit.trace takes them for."""
    if has_symbolic_sizes() and not torch.compiler.is_compiling():
        return _untraced()
    return nullcontext()


def constant_in_graphs(function: Function) -> Function:
    """Let a compiler call the function once, and hold its result for a constant.

    As `torch.compiler.assume_constant_result` does, which would load the compiler.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function
