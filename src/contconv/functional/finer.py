"""Activations at a finer sampling: enlarged, activated, made small again."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contconv._grid.grid import resized_axes
from contconv._grid.placement import as_placements
from contconv._runtime.autograd import gradients_of, is_transformed
from contconv._runtime.cache import cached
from contconv._runtime.memory_format import like_layout
from contconv._runtime.shapes import Float
from contconv.engines.native.library import takes
from contconv.functional.resize import resize
from contconv.functional.resize_in_library import planned_floats
from contconv.kernels.sinc import SincKernel

Activation = Callable[[Tensor], Tensor]

# Pixels of an axis from which on its rows do not fit into caches.
_MOST_PIXELS = 4096

# As the library numbers them, and the slope of a leaky ReLU.
_FUNCTIONS: dict[Any, tuple[int, float]] = {
    torch.relu: (0, 0.0),
    F.relu: (0, 0.0),
    F.leaky_relu: (1, 0.01),
    F.gelu: (2, 0.0),
    F.silu: (4, 0.0),
    torch.tanh: (5, 0.0),
    F.tanh: (5, 0.0),
    torch.sigmoid: (6, 0.0),
    F.sigmoid: (6, 0.0),
}
_MODULES = {nn.ReLU: 0, nn.LeakyReLU: 1, nn.SiLU: 4, nn.Tanh: 5, nn.Sigmoid: 6}


class Sampling(NamedTuple):
    """How features are enlarged and made small again."""

    up: int
    finer: SincKernel
    back: SincKernel
    padding_mode: str


def activated_finer(
    input: Float[Tensor, "n c *in_shape"], activation: Activation, sampling: Sampling
) -> Float[Tensor, "n c *in_shape"]:
    """The activation at ``up`` times the pixels along each axis.

    By the library in one pass over the rows, if it knows the activation, else by two
    calls of `contconv.resize`.
    """
    known = _number(activation) if _suits(input, sampling) else None
    if known is None:
        return _plain(input, activation, sampling)
    if not (torch.is_grad_enabled() and input.requires_grad):
        return _in_library(input, sampling, known)
    return _Finer.apply(input, activation, sampling, known)  # type: ignore


def _suits(input: Tensor, sampling: Sampling) -> bool:
    """Whether the library can take the input, and is there."""
    return (
        takes(input)  # first: others may not look at sizes
        and input.ndim in (3, 4)
        and 0 not in input.shape
        and max(input.shape[2:]) <= _MOST_PIXELS
        and type(sampling.finer) is type(sampling.back) is SincKernel
    )


def _plain(input: Tensor, activation: Activation, sampling: Sampling) -> Tensor:
    up, finer, back, mode = sampling
    fine = resize(input, scale=up, kernel=finer, padding_mode=mode)
    active = activation(fine)
    # Not by the size, which torch.jit.trace takes for a tensor.
    return resize(active, scale=1 / up, kernel=back, padding_mode=mode)


def _number(activation: Any) -> tuple[int, float] | None:
    """What the library calls an activation; None where it may be another."""
    if not isinstance(activation, nn.Module):
        plain = type(activation) in (type(torch.relu), type(F.relu))
        return _FUNCTIONS.get(activation) if plain else None
    if _is_watched(activation):
        return None
    if isinstance(activation, nn.GELU) and type(activation) is nn.GELU:
        return {"none": (2, 0.0), "tanh": (3, 0.0)}.get(activation.approximate)
    number = _MODULES.get(type(activation))
    if number is None:
        return None
    return number, float(getattr(activation, "negative_slope", 0.0))


def _is_watched(module: nn.Module) -> bool:
    """Whether a call would do more than its class says."""
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
    everywhere = bool(torch.nn.modules.module._has_any_global_hook())
    return any(hooks) or everywhere or "forward" in vars(module)


def _in_library(input: Tensor, sampling: Sampling, known: tuple[int, float]) -> Tensor:
    image = input.float() if input.dtype == torch.float16 else input
    tables = _tables(image.shape[2:], sampling)
    out = torch.ops.contconv_native.activate_finer(image, *tables, *known)
    return out.to(input.dtype)


def _gradient(
    gradient: Tensor, input: Tensor, sampling: Sampling, known: tuple[int, float]
) -> Tensor:
    half = input.dtype == torch.float16
    image, grad = (one.float() if half else one for one in (input, gradient))
    tables = _tables(image.shape[2:], sampling)
    out = torch.ops.contconv_native.activate_finer_backward(
        *(like_layout(grad, image), image, *tables, *known)
    )
    return out.to(input.dtype)


def _tables(shape: tuple[int, ...], sampling: Sampling) -> tuple[Tensor, ...]:
    """Sources and weights of y and x to the fine pixels, and of both from them."""
    up, finer, back, mode = sampling
    size = tuple(shape)
    kernels = (finer.kernel_size, finer.cutoff, back.kernel_size, back.cutoff)
    key = (size, up, mode, *kernels)
    return cached(key, ("finer",), partial(_new_tables, size, sampling))


def _new_tables(shape: tuple[int, ...], sampling: Sampling) -> tuple[Tensor, ...]:
    up, finer, back, mode = sampling
    modes, copied = [mode] * len(shape), [False] * len(shape)
    tables: list[Tensor] = []
    fine = tuple(up * size for size in shape)
    for kernel, before, size in ((finer, shape, fine), (back, fine, shape)):
        places = as_placements(None, kernel.kernel_size, "center")
        axes = resized_axes(before, kernel.kernel_size, None, size, True, places)
        tables += planned_floats(kernel, axes, modes, copied).tables[2:]
    return tuple(tables)


class _Finer(torch.autograd.Function):
    @staticmethod
    def forward(
        input: Tensor,
        activation: Activation,
        sampling: Sampling,
        known: tuple[int, float],
    ) -> Tensor:
        return _in_library(input, sampling, known)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        input, ctx.activation, ctx.sampling, ctx.known = inputs
        ctx.save_for_backward(input)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        (input,), (gradient,) = ctx.saved_tensors, gradients
        if torch.is_grad_enabled() or is_transformed():

            def plain(input: Tensor) -> Tensor:
                return _plain(input, ctx.activation, ctx.sampling)

            found = gradients_of(plain, [input], [True], gradient)[0]
        else:
            found = _gradient(gradient, input, ctx.sampling, ctx.known)
        return found, None, None, None
