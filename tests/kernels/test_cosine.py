"""CosineKernel: an orthogonal basis that holds every convolution filter."""

import math
import re

import numpy as np
import pytest
import torch
from torch.nn import functional

from contconv import continuous_conv
from contconv.kernels import CosineKernel

CONVS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


def taps(*size: int) -> torch.Tensor:
    """The distances of the pixels of a convolution filter, in its order."""
    per_axis = [(k - 1) / 2 - torch.arange(k, dtype=torch.float64) for k in size]
    return torch.cartesian_prod(*per_axis).view(-1, len(size))


def test_formula():
    """Column ``a * frequencies_x + b`` is c_a cos(pi a u_y) c_b cos(pi b u_x)."""
    kernel = CosineKernel(1, 1, (3, 5), frequencies=(2, 4))
    y, x = distances = torch.tensor([0.3, -1.7], dtype=torch.float64)
    expected = [
        math.sqrt((1 if a == 0 else 2) / 3 * (1 if b == 0 else 2) / 5)
        * math.cos(math.pi * a * (y / 3 + 0.5))
        * math.cos(math.pi * b * (x / 5 + 0.5))
        for a in range(2)
        for b in range(4)
    ]
    actual = kernel.basis(distances)
    torch.testing.assert_close(actual, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("size", [(3,), (3, 4), (2, 3, 2)], ids=str)
@pytest.mark.parametrize("groups", [1, 2, 6], ids="groups{}".format)
def test_weights_are_basis_times_head(size, groups):
    kernel = CosineKernel(6, 12, size, groups=groups, dtype=torch.float64)
    distances = torch.rand(5, 7, len(size), dtype=torch.float64) - 0.5
    basis = kernel.basis(distances)
    assert kernel.head.shape == (12, 6 // groups, math.prod(size))
    assert basis.shape == (5, 7, math.prod(size))
    expected = (basis[..., None, None, :] * kernel.head).sum(-1)
    torch.testing.assert_close(kernel(distances), expected)


@pytest.mark.parametrize(
    "frequencies, rank", [(None, 12), (2, 4), (5, 25), ((1, 6), 6)], ids=str
)
def test_frequencies(frequencies, rank):
    kernel = CosineKernel(2, 3, (3, 4), frequencies=frequencies)
    assert kernel.head.shape == (3, 2, rank)
    assert kernel.basis(torch.rand(5, 2)).shape == (5, rank)


@pytest.mark.parametrize("size, frequencies", [((4,), 7), ((3, 4), (5, 3))], ids=str)
def test_orthonormal_on_the_support(size, frequencies):
    """By the midpoint rule, which is exact for so few cosines."""
    kernel = CosineKernel(1, 1, size, frequencies=frequencies)
    middles = (torch.arange(40, dtype=torch.float64) + 0.5) / 40 - 0.5
    distances = torch.cartesian_prod(*(k * middles for k in size)).view(-1, len(size))
    basis = kernel.basis(distances)
    gram = basis.T @ basis / len(basis)
    expected = torch.eye(len(gram), dtype=torch.float64) / math.prod(size)
    torch.testing.assert_close(gram, expected)


@pytest.mark.parametrize("size", [(1,), (4,), (7,), (3, 3), (4, 5), (3, 2, 3)], ids=str)
def test_holds_every_convolution_filter(size):
    """The inverse cosine transform: solve for the head, and compare with F.conv."""
    kernel = CosineKernel(2, 3, size, dtype=torch.float64)
    weight = torch.randn(3, 2, *size, dtype=torch.float64)
    basis = kernel.basis(taps(*size))
    head = torch.linalg.solve(basis, weight.flatten(2).movedim(2, 0).flatten(1))
    with torch.no_grad():
        kernel.head.copy_(head.unflatten(1, (3, 2)).movedim(0, 2))
    image = torch.randn(2, 2, *(9, 8, 7)[: len(size)], dtype=torch.float64)
    # An even kernel has no pixel at its centre: its grid lies between the pixels.
    expected = CONVS[len(size)](image, weight, padding=[(k - 1) // 2 for k in size])
    actual = continuous_conv(image, kernel, scale=1, size=expected.shape[2:])
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("size", [3, 4])
def test_filter_is_the_orthonormal_cosine_transform_of_the_head(size):
    """At the pixels, the basis is the matrix of SciPy's orthonormal DCT-III."""
    kernel = CosineKernel(1, 1, (size,), dtype=torch.float64)
    basis = kernel.basis(taps(size).flip(0))
    fft = pytest.importorskip("scipy.fft")
    expected = fft.dct(np.eye(size), type=3, norm="ortho", axis=0)
    torch.testing.assert_close(basis, torch.from_numpy(expected))


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("given", [torch.float32, torch.float64], ids=str)
def test_basis_has_the_dtype_of_the_distances(stored, given):
    """Distances in bfloat16 would be off by whole hundredths of a pixel."""
    kernel = CosineKernel(2, 3, (3, 3), dtype=stored)
    distances = torch.rand(5, 2, dtype=given)
    assert kernel.basis(distances).dtype == kernel(distances).dtype == given


def test_bad_frequencies():
    with pytest.raises(ValueError, match=r"^frequencies must be at least 1, got 0"):
        CosineKernel(1, 1, (3, 3), frequencies=(3, 0))
    message = "frequencies must be one value or one for each of the 2 axes, got 1: (3,)"
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        CosineKernel(1, 1, (3, 3), frequencies=(3,))
