"""Whether what was computed can be kept where a NaN times 0 may have got into it."""

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.autograd import has_values, is_batched


def is_finite(image: Tensor, out: Tensor) -> bool:
    """Whether an output has no NaN that its image lacks; by the smaller of the two.

    It is taken for granted where that cannot be told without waiting for a device.
    """
    if not has_values(image, out) or image.device.type != "cpu":
        return True
    numbers = min(image, out, key=Tensor.numel)
    return isfinite(numbers.detach().sum().item())


def with_exact_gradients(
    out: Tensor, inputs: Iterable[Tensor], again: Callable[[], Tensor]
) -> Tensor:
    """The output, whose gradients come another way where they are not finite.

    Args:
        out: Computed with zeros beside the weights. A NaN in its gradient times these
            would reach what no weight touches.
        inputs: All that it was computed from and that may need a gradient.
        again: Computes it from them without such zeros, slower.
    """
    inputs = [one for one in inputs if one.requires_grad]
    plain = has_values(out) and out.device.type == "cpu" and out.requires_grad
    return _Exact.apply(out, again, *inputs) if plain else out  # type: ignore


class _Exact(torch.autograd.Function):
    @staticmethod
    def forward(out: Tensor, again: Callable[[], Tensor], *inputs: Tensor) -> Tensor:
        return out.view_as(out)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.again, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        gradient, inputs = gradients[0], ctx.saved_tensors
        if is_batched(gradient) or isfinite(gradient.detach().sum().item()):
            return gradient, None, *[None] * len(inputs)
        with torch.enable_grad():
            out = ctx.again()
        create = torch.is_grad_enabled()
        options = {"create_graph": create, "allow_unused": True}
        found = torch.autograd.grad(out, inputs, gradient, **options)
        return torch.zeros_like(gradient), None, *found
