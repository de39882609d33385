"""Calls where new tensors have another dtype or device, unless they are told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from contconv import continuous_conv, resize, warp
from contconv.kernels import CosineKernel, MLPKernel
from contconv.metrics import ssim
from contconv.nn import AliasFree

Function = Callable[[Tensor, Fraction], Tensor]


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


DEFAULTS = {
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "meta": lambda: torch.device("meta"),
}


def _convolved(kernel: Any) -> Function:
    return lambda image, scale: continuous_conv(
        image, kernel.to(image.dtype), scale=scale
    )


def _at_points(image: Tensor, scale: Fraction) -> Tensor:
    values = [[[0.3, 1.7], [4.2, 9.1], [8.8, 2.6]]]
    points = float(scale) * torch.tensor(values, device="cpu", dtype=torch.float64)
    return continuous_conv(image, SMALL.to(image.dtype), points=points.to(image))


def _warped(image: Tensor, scale: Fraction) -> Tensor:
    values = [[float(scale), 0.1, 0.7], [-0.2, 1.1, 0.2]]
    transform = torch.tensor(values, device="cpu", dtype=torch.float64)
    return warp(image, "cubic", transform.to(image), size=(7, 9))


def _resized(kernel: str, *, copies: bool = False) -> Function:
    return lambda image, scale: resize(
        image, scale=(1, scale) if copies else scale, kernel=kernel
    )


def _in_bytes(image: Tensor, scale: Fraction) -> Tensor:
    picture = (image * 255).round().byte()
    return resize(picture, scale=(1, scale)).to(image)


def _fidelity(image: Tensor, scale: Fraction) -> Tensor:
    return ssim(image, image * float(scale))


SMALL = CosineKernel(3, 4, (3, 3)).requires_grad_(False)
CALLS: dict[str, Function] = {
    "cosine": _convolved(SMALL),
    "mlp": _convolved(MLPKernel(3, 4, (3, 3)).requires_grad_(False)),
    "depthwise": lambda image, scale: continuous_conv(
        image, DEPTHWISE.to(image.dtype), scale=scale, groups=3
    ),
    "points": _at_points,
    "warp": _warped,
    "cubic": _resized("cubic"),
    "copied": _resized("cubic", copies=True),
    "nearest": _resized("nearest"),
    "bytes": _in_bytes,
    "finer": lambda image, _: AliasFree(torch.nn.ReLU())(image),
    "ssim": _fidelity,
}
DEPTHWISE = CosineKernel(3, 3, (3, 3), groups=3).requires_grad_(False)


PLACES = {pair: i for i, pair in enumerate(product(DEFAULTS, CALLS))}


@pytest.mark.parametrize(("default", "name"), PLACES)
def test_values_and_gradients(default, name):
    """Each at a scale of its own; nothing that is made then spoils the next call."""
    call, scale = CALLS[name], Fraction(31 + PLACES[default, name], 89)
    image = torch.rand(2, 3, 16, 14)
    expected = call(image.double(), scale)
    leaf = image.clone().requires_grad_(name != "bytes")
    with DEFAULTS[default]():
        out = call(leaf, scale)
        if leaf.requires_grad:
            out.sum().backward()
    after = call(image, scale)
    assert out.dtype == after.dtype and torch.equal(out, after)
    torch.testing.assert_close(after.double(), expected, atol=1e-4, rtol=1e-4)
    if leaf.requires_grad:
        exact = image.double().requires_grad_()
        call(exact, scale).sum().backward()
        assert leaf.grad is not None
        error = leaf.grad.double() - exact.grad  # type: ignore
        assert error.abs().max() <= 1e-4 * exact.grad.abs().max()  # type: ignore
