"""MLPKernel is the Internal-Net of the paper."""

import math
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from contconv.kernels import MLPKernel

SIZES = pytest.mark.parametrize("size", [(3,), (3, 4), (2, 3, 5)], ids=str)
WIDTHS = pytest.mark.parametrize("widths", [(8, 8), (8, 5), (6, 7, 4)], ids=str)


def internal_net(kernel: MLPKernel) -> nn.Sequential:
    """Sec. 3, Fig. 2: 1x1 convolutions and ReLU, the weights copied from the kernel.

    The kernel measures distances in halves of its support, keeps its last layer as a
    product of two, and scales: layers by the root of twice the output channels, the
    basis by that of the pixels.
    """
    step, pixels = 12**-0.5, math.prod(kernel.kernel_size)
    head = kernel.head.flatten(0, 1) / math.sqrt(pixels)
    values: list[Any] = [
        (step * layer.get_parameter("weight"), step * layer.get_parameter("bias"))
        for layer in kernel.layers
    ]
    weight, bias = values.pop()
    values.append((head[:, :-1] @ weight, head[:, :-1] @ bias + head[:, -1]))
    layers: list[nn.Module] = []
    for weight, bias in values:
        conv = nn.Conv2d(weight.shape[1], weight.shape[0], 1)
        conv.weight = nn.Parameter(weight[..., None, None])
        conv.bias = nn.Parameter(bias)
        layers += [conv, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def distances_on_an_image(kernel: MLPKernel) -> Tensor:
    """The tensor D of the paper, ``[K, ndim, h, w]``."""
    half = torch.tensor(kernel.kernel_size, dtype=torch.float64)[:, None, None] / 2
    return (2 * torch.rand(9, kernel.ndim, 4, 5, dtype=torch.float64) - 1) * half


@SIZES
@WIDTHS
def test_is_a_stack_of_convolutions(size, widths):
    kernel = MLPKernel(4, 6, size, widths=widths, groups=2, dtype=torch.float64)
    image = distances_on_an_image(kernel)
    half = torch.tensor(size, dtype=torch.float64)[:, None, None] / 2
    expected = internal_net(kernel)(image / half).unflatten(1, (6, 2))
    actual = kernel(image.movedim(1, -1)).movedim((-2, -1), (1, 2))
    torch.testing.assert_close(actual, expected)


def test_networks_that_draw_their_linear_layers_anew_leave_the_basis():
    """As most training scripts do: else the basis would be random, and tiny."""
    kernel = MLPKernel(2, 3, (3, 3))
    distances = 3 * torch.rand(50, 2) - 1.5
    before = kernel.basis(distances)
    for module in nn.Sequential(kernel, nn.Linear(3, 4)).modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
    assert torch.equal(kernel.basis(distances), before)


@SIZES
@WIDTHS
def test_weights_are_basis_times_head(size, widths):
    kernel = MLPKernel(4, 6, size, widths=widths, dtype=torch.float64)
    distances = distances_on_an_image(kernel).movedim(1, -1)
    basis = kernel.basis(distances)
    assert basis.shape == (9, 4, 5, widths[-1] + 1)
    assert kernel.head.shape == (6, 4, widths[-1] + 1)
    expected = (basis[..., None, None, :] * kernel.head).sum(-1)
    torch.testing.assert_close(kernel(distances), expected)


@pytest.mark.parametrize("groups", [1, 2, 6], ids="groups{}".format)
def test_groups(groups):
    kernel = MLPKernel(6, 12, (3, 3), widths=(8, 5), groups=groups)
    assert kernel.head.shape == (12, 6 // groups, 6)
    assert kernel(torch.rand(7, 2)).shape == (7, 12, 6 // groups)


@SIZES
@WIDTHS
def test_gradients_reach_every_parameter(size, widths):
    kernel = MLPKernel(2, 3, size, widths=widths, dtype=torch.float64)
    distances = distances_on_an_image(kernel).movedim(1, -1)
    kernel(distances).square().sum().backward()
    assert len(list(kernel.parameters())) == 2 * len(widths) + 1
    for name, parameter in kernel.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_gradients():
    kernel = MLPKernel(1, 2, (3, 3), widths=(4, 3), dtype=torch.float64)
    distances = torch.rand(3, 2, dtype=torch.float64, requires_grad=True)
    inputs = (distances, *kernel.parameters())

    def weights(distances: Tensor, *parameters: Tensor) -> Tensor:
        names = [name for name, _ in kernel.named_parameters()]
        values = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(kernel, values, distances)

    assert torch.autograd.gradcheck(weights, inputs)


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("given", [torch.float32, torch.float64], ids=str)
def test_basis_has_the_dtype_of_the_distances(stored, given):
    kernel = MLPKernel(2, 3, (3, 3), dtype=stored)
    distances = torch.rand(5, 2, dtype=given)
    assert kernel.basis(distances).dtype == kernel(distances).dtype == given


@pytest.mark.parametrize(
    "widths, error, message",
    [
        (
            (),
            ValueError,
            "widths must name a hidden and a narrow layer at least, got ()",
        ),
        ((8, 0), ValueError, "widths must be at least 1, got 0"),
        ((8, 2.5), TypeError, "widths must be a whole number, got 2.5 (float)"),
        ((8, 9), ValueError, "the last of widths must not exceed the one before"),
        (64, TypeError, "widths must be a sequence with one whole number for each"),
    ],
    ids=str,
)
def test_bad_widths(widths, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        MLPKernel(1, 1, (3, 3), widths=widths)
