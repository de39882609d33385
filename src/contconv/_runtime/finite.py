"""Whether what was computed can be kept where a NaN times 0 may have got into it."""

from collections.abc import Callable, Sequence
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


class ExactGradient:
    """The gradient to an image, where that of the output is not finite.

    What is computed with zeros beside the weights spreads a NaN in the gradient of the
    output to what no weight touches. Then the gradient to the image comes from
    ``again``, which has no such zeros and is slower.

    Args:
        image: Of which ``again`` makes the output.
        again: Reads the tensors, too.
        tensors: Those of a kernel, which must be the same then.
    """

    def __init__(
        self,
        image: Tensor,
        again: Callable[[Tensor], Tensor],
        tensors: Callable[[], Sequence[Tensor]],
    ) -> None:
        self.again, self.tensors = again, tensors
        self.gradient: Tensor | None = None  # of the output, if it is not finite
        self.learns = torch.is_grad_enabled() and image.requires_grad
        self.learns &= has_values(image) and image.device.type == "cpu"
        self.image: Tensor = image
        if self.learns:
            self.image = _Replaced.apply(image, self, *tensors())  # type: ignore

    def watched(self, out: Tensor) -> Tensor:
        """The output that was computed from `image`."""
        return _Watched.apply(out, self) if self.learns else out  # type: ignore


class _Watched(torch.autograd.Function):
    @staticmethod
    def forward(out: Tensor, exact: ExactGradient) -> Tensor:
        return out.view_as(out)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.exact = inputs[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        (gradient,) = gradients
        known = is_batched(gradient) or isfinite(gradient.detach().sum().item())
        ctx.exact.gradient = None if known else gradient
        return gradient, None


class _Replaced(torch.autograd.Function):
    @staticmethod
    def forward(image: Tensor, exact: ExactGradient, *tensors: Tensor) -> Tensor:
        return image.view_as(image)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        image, ctx.exact, *tensors = inputs
        ctx.save_for_backward(image, *tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        exact, (image, *then) = ctx.exact, ctx.saved_tensors
        gradient, exact.gradient = exact.gradient, None
        (found,), others = gradients, [None] * len(then)
        if gradient is None or not all(map(torch.equal, then, exact.tensors())):
            return found, None, *others
        create = torch.is_grad_enabled()
        with torch.enable_grad():
            out = exact.again(image)
        (found,) = torch.autograd.grad(out, image, gradient, create_graph=create)
        return found, None, *others
