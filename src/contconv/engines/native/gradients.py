"""The convolution of the library with its gradients, also of a basis that learns.

First derivatives are the library's. Graphs of gradients, batches of gradients, and
tables that the library does not transpose go by PyTorch's operators.
"""

from typing import Any, TypeAlias

import torch
from torch import Tensor

from contconv._runtime.autograd import (
    gradients_of,
    is_compiled,
    is_transformed,
)
from contconv._runtime.shapes import Float
from contconv.engines.native.tables import Tables
from contconv.engines.separable.plan import usual_order
from contconv.engines.separable.steps import run_steps
from contconv.engines.weights import AxisWeights

# Of image, head, and the weights of z, y and x; empty where it is not wanted.
Gradients: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def separable(
    image: Float[Tensor, "n c *in_shape"],
    head: Float[Tensor, "o i rank"],
    tables: Tables,
    groups: int,
    order: int = -1,
) -> Float[Tensor, "n o *out_shape"]:
    """The convolution, in float32 or bfloat16; the head and the tables are float32.

    The order of the steps is the best, unless one is asked for.
    """
    given = (image, head, *tables)
    if is_compiled():
        return torch.ops.contconv_native.separable(*given, groups, order)
    if torch.is_grad_enabled() and _learns(given):
        return _Separable.apply(*given, groups, order)  # type: ignore
    # Past what compilers are told of gradients, which is in Python.
    with torch._C._AutoDispatchBelowAutograd():
        return torch.ops.contconv_native.separable.default(*given, groups, order)


def _learns(given: tuple[Tensor, ...]) -> bool:
    return any(one.requires_grad for one in given)


class _Separable(torch.autograd.Function):
    @staticmethod
    def forward(*given: Any) -> Tensor:
        return torch.ops.contconv_native.separable.default(*given)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.groups = inputs[:9]
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        image, head, *tables = ctx.saved_tensors
        wanted = _wanted(ctx)
        if torch.is_grad_enabled() or is_transformed():
            found = _by_operators(gradients[0], image, head, tables, ctx.groups, wanted)
        else:
            found = _found(gradients[0], image, head, tables, ctx.groups, wanted)
        return (*_in_place(found, wanted), None, None)


def _wanted(ctx: Any) -> list[bool]:
    return [ctx.needs_input_grad[place] for place in (0, 1, 3, 5, 7)]


def _in_place(found: Any, wanted: list[bool]) -> tuple[Tensor | None, ...]:
    """One for each tensor that is given: there are none for the sources."""
    image, head, z, y, x = (
        one if want else None for one, want in zip(found, wanted, strict=True)
    )
    return image, head, None, z, None, y, None, x


def _found(
    gradient: Tensor,
    image: Tensor,
    head: Tensor,
    tables: list[Tensor],
    groups: int,
    wanted: list[bool],
) -> Gradients:
    """By the library if it can."""
    sizes = [*(1, 1), *image.shape[2:]][-3:]
    for i, size in enumerate(sizes):
        if torch.ops.contconv_native.lopsided(*tables[2 * i : 2 * i + 2], size):
            return _by_operators(gradient, image, head, tables, groups, wanted)
    return torch.ops.contconv_native.separable_backward(
        gradient, image, head, *tables, groups, -1, -1, *wanted
    )


def _by_operators(
    gradient: Tensor,
    image: Tensor,
    head: Tensor,
    tables: list[Tensor],
    groups: int,
    wanted: list[bool],
) -> Gradients:
    """By PyTorch's operators: differentiable where gradients are."""

    def plain(image: Tensor, head: Tensor, *weights: Tensor) -> Tensor:
        return _plain(image, head, tables[::2], list(weights), groups)

    found = gradients_of(plain, [image, head, *tables[1::2]], wanted, gradient)
    empty = image.new_empty(0, dtype=torch.float32)
    return tuple(empty if one is None else one for one in found)  # type: ignore


def _plain(
    image: Tensor,
    head: Tensor,
    sources: list[Tensor],
    weights: list[Tensor],
    groups: int,
) -> Tensor:
    """The convolution in PyTorch's operators, in an order that suits most sizes."""
    ndim = image.ndim - 2
    axes = [
        AxisWeights(source.clamp(min=0).long(), weight * (source >= 0)[..., None])
        for source, weight in zip(sources[-ndim:], weights[-ndim:], strict=True)
    ]
    ranks = [axis.values.shape[2] for axis in axes]
    factors = head.unflatten(0, (groups, -1)).unflatten(3, ranks)
    order = usual_order(ndim)
    out = run_steps(image.float(), factors, axes, order, exact=True)
    return out.to(image.dtype)


@torch.library.custom_op("contconv::native_backward", mutates_args=())
def native_backward(
    gradient: Tensor,
    image: Tensor,
    head: Tensor,
    tables: list[Tensor],
    groups: int,
    wanted: list[bool],
) -> Gradients:
    """The gradients, for compiled graphs."""
    return _found(gradient, image, head, tables, groups, wanted)


@native_backward.register_fake
def _(
    gradient: Tensor,
    image: Tensor,
    head: Tensor,
    tables: list[Tensor],
    groups: int,
    wanted: list[bool],
) -> Gradients:
    to = [torch.empty_like(one) for one in (image, head, *tables[1::2])]
    empty = image.new_empty(0, dtype=torch.float32)
    pairs = zip(to, wanted, strict=True)
    return tuple(one if want else empty for one, want in pairs)  # type: ignore


def register_autograd() -> None:
    """Tell compilers of the gradients of the library's operator."""

    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        image, head, *tables = ctx.saved_tensors
        wanted = _wanted(ctx)
        found = native_backward(gradient, image, head, tables, ctx.groups, wanted)
        return (*_in_place(found, wanted), None, None)

    name = "contconv_native::separable"
    keep = _Separable.setup_context
    torch.library.register_autograd(name, backward, setup_context=keep)
