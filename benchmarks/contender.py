"""A contender: a way to an output, and to its gradients, that can be timed."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class Contender:
    """A function of an image; calling it runs it once."""

    apply: Callable[[Tensor], Tensor]
    image: Tensor
    parameters: tuple[Tensor, ...] = ()
    backward: bool = False
    _gradient: Tensor | None = field(default=None, init=False)

    def __call__(self) -> list[Tensor]:
        """The output; with ``backward`` also the gradients of all that it is made of.

        The gradient that comes from above is a whole tensor, made at the first call.
        """
        if not self.backward:
            with torch.no_grad():
                return [self.apply(self.image)]
        image = self.image.detach().requires_grad_()
        out = self.apply(image)
        if self._gradient is None:
            self._gradient = torch.randn_like(out)
        inputs = (image, *self.parameters)
        return [out, *torch.autograd.grad(out, inputs, self._gradient)]


def of_module(module: nn.Module, image: Tensor, backward: bool) -> Contender:
    """A module and its parameters, in the dtype of the image."""
    module = module.to(image.dtype)
    return Contender(module, image, tuple(module.parameters()), backward)
