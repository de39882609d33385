"""Internal-Nets whose sums over the pixels are even."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from contconv import ContinuousConv2d, continuous_conv, load, save
from contconv.kernels import MLPKernel

SIZES = pytest.mark.parametrize("size", [(3,), (4, 3), (2, 3, 3)], ids=str)


def sums(kernel: MLPKernel, offsets: Tensor) -> Tensor:
    """Those of the basis over the pixels, at offsets ``[n, ndim]``."""
    return kernel.basis(offsets[:, None] + window(kernel.kernel_size)).sum(1)


def window(size: tuple[int, ...]) -> Tensor:
    """The distances of its pixels from its middle: ``[pixels, ndim]``."""
    pixels = [torch.arange(w, dtype=torch.float64) - (w - 1) / 2 for w in size]
    return torch.cartesian_prod(*pixels).view(-1, len(size))


def pair(size: tuple[int, ...], widths: tuple[int, int]) -> list[MLPKernel]:
    """The same, with sums as they are and with even ones."""
    torch.manual_seed(0)
    own = MLPKernel(2, 3, size, widths=widths, dtype=torch.float64)
    even = MLPKernel(2, 3, size, widths=widths, even_sums=True, dtype=torch.float64)
    even.load_state_dict(own.state_dict())
    return [own, even]


@SIZES
def test_sums_do_not_depend_on_the_offset(size):
    own, even = pair(size, (32, 8))
    offsets = torch.rand(200, len(size), dtype=torch.float64) - 0.5
    before, after = (
        sums(kernel, offsets).std(0).norm().item() for kernel in (own, even)
    )
    assert after < 0.1 * before


@SIZES
def test_what_sums_are_counted_from_stays(size):
    own, even = pair(size, (8, 4))
    middle = torch.zeros(1, len(size), dtype=torch.float64)
    torch.testing.assert_close(sums(even, middle), sums(own, middle))
    centres = window(size)
    torch.testing.assert_close(even(centres), own(centres))


@pytest.mark.parametrize("scale", [0.8, 0.5, 2, (0.3, 1.7)])
def test_a_constant_comes_out_as_a_constant(scale):
    """At 1/2, pixels lie at the very edge of the window."""
    flat = torch.ones(1, 1, 40, 40)
    rough = []
    for even_sums in (False, True):
        torch.manual_seed(0)
        kernel = MLPKernel(1, 64, (3, 3), even_sums=even_sums)
        out = continuous_conv(flat, kernel, scale=scale)
        inner = out[..., 4:-4, 8:-8]
        rough.append((inner.std((2, 3)) / inner.square().mean().sqrt()).mean().item())
    assert rough[1] < max(0.04 * rough[0], 1e-5)


def test_gradients():
    kernel = MLPKernel(1, 2, (3, 2), widths=(6, 3), even_sums=True, dtype=torch.float64)
    distances = torch.rand(5, 2, dtype=torch.float64, requires_grad=True)
    parameters = tuple(kernel.parameters())

    def weights(distances: Tensor, *values: Tensor) -> Tensor:
        named = dict(zip(dict(kernel.named_parameters()), values, strict=True))
        return torch.func.functional_call(kernel, named, (distances,))

    assert torch.autograd.gradcheck(weights, (distances, *parameters))


def test_a_file_knows(tmp_path: Path):
    kernel = MLPKernel(2, 4, (3, 3), even_sums=True)
    layer = ContinuousConv2d(2, 4, 3, kernel=kernel)
    save(layer, tmp_path / "layer.cc")
    image = torch.rand(1, 2, 9, 9)
    loaded = load(tmp_path / "layer.cc")
    torch.testing.assert_close(loaded(image, scale=0.7), layer(image, scale=0.7))
