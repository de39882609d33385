"""Low-pass filters: against NumPy, and convolutions that are followed by one."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from contconv import ContinuousConv2d, resize
from contconv.kernels import BandlimitedKernel, SincKernel
from contconv.metrics import fractional_shift


def hann_sinc(distance, cutoff, width):
    def values(x):
        window = np.cos(np.pi * x / width) ** 2
        return np.where(np.abs(x) < width / 2, np.sinc(cutoff * x) * window, 0)

    return values(distance) / values(np.arange(-width, width + 1)).sum()


@pytest.mark.parametrize("cutoff, width", [(1.0, 6), (0.45, 9)])
def test_sinc(cutoff, width):
    distance = np.linspace(-6, 6, 241)
    kernel = SincKernel(width, cutoff=cutoff, ndim=1)
    found = kernel.axis_basis(torch.from_numpy(distance), 0)[:, 0]
    np.testing.assert_allclose(found, hann_sinc(distance, cutoff, width), atol=1e-12)


def test_a_wave_is_interpolated():
    """Between the pixels, as the phase says: a wave of 5 pixels, to a thousandth."""
    x = torch.arange(40, dtype=torch.float64)
    wave = torch.cos(2 * torch.pi * x / 5)[None, None]
    fine = resize(wave, scale=2, kernel=SincKernel(12, ndim=1), padding_mode="circular")
    at = (torch.arange(80, dtype=torch.float64) - 0.5) / 2
    expected = torch.cos(2 * torch.pi * at / 5)
    torch.testing.assert_close(fine[0, 0], expected, atol=2e-3, rtol=0)


def test_at_a_scale_of_one_it_is_a_convolution():
    layer = ContinuousConv2d(
        4, 6, (6, 8), kernel="bandlimited", groups=2, dtype=torch.float64
    )
    filters = layer.kernel.head.unflatten(2, (3, 5)).flip(2, 3)
    image = torch.randn(2, 4, 9, 10, dtype=torch.float64)
    expected = functional.conv2d(image, filters, layer.bias, padding=(1, 2), groups=2)
    torch.testing.assert_close(layer(image), expected)


def test_when_it_shrinks_it_is_a_convolution_and_a_low_pass_filter():
    """Step by step: all pixels, each axis by its matrix, then every second pixel."""
    size, cutoff = BandlimitedKernel.low_pass((3, 1), (1 / 2, 3 / 4))
    assert cutoff == pytest.approx((0.45, 0.675)) and size == (11, 6)
    kernel = BandlimitedKernel(
        2, 3, size, taps=(3, 1), cutoff=cutoff, dtype=torch.float64
    )
    layer = ContinuousConv2d(
        2, 3, size, scale=(1 / 2, 3 / 4), kernel=kernel, padding_mode="circular"
    ).double()
    image = torch.randn(1, 2, 24, 24, dtype=torch.float64)
    filters = kernel.head.unflatten(2, (3, 1)).flip(2, 3)
    around = functional.pad(image, (0, 0, 1, 1), mode="circular")
    every = functional.conv2d(around, filters, layer.bias)
    y = low_pass(24, 12, cutoff[0], 9)
    x = low_pass(24, 18, cutoff[1], 6)
    # The filter's weights add up to one but nearly, which a bias does not feel.
    assert layer.bias is not None
    bias = layer.bias.detach()[:, None, None]
    expected = torch.einsum("nohw,yh,xw->noyx", every - bias, y, x) + bias
    torch.testing.assert_close(layer(image), expected)


def low_pass(before: int, after: int, cutoff: float, width: int) -> torch.Tensor:
    """The filter of a line on a ring, at the places of Eq. 2."""
    step = before / after
    at = np.arange(after) * step + (before - 1) / 2 - (after - 1) / 2 * step
    away = at[:, None] - np.arange(before)
    around = [hann_sinc(away + turn * before, cutoff, width) for turn in (-1, 0, 1)]
    return torch.from_numpy(np.sum(around, 0))


@pytest.mark.parametrize("shift", [0.25, 1, 3.3])
def test_features_move_as_the_image_does(shift):
    """By any part of a pixel, where a stride of 2 does not even for whole ones."""
    noise = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    image = functional.avg_pool2d(
        functional.pad(noise, (1, 1, 1, 1), mode="circular"), 3, 1
    )
    size, cutoff = BandlimitedKernel.low_pass(3, 1 / 2)
    kernel = BandlimitedKernel(3, 4, size, taps=3, cutoff=cutoff)
    layer = ContinuousConv2d(
        3, 4, size, scale=1 / 2, kernel=kernel, padding_mode="circular", bias=False
    )
    filters = kernel.head.unflatten(2, (3, 3)).flip(2, 3)

    def strided(x):
        x = functional.pad(x, (1, 1, 1, 1), mode="circular")
        return functional.conv2d(x, filters, stride=2)

    assert similarity(layer, image, shift) > 0.99
    assert similarity(strided, image, shift) < 0.97


def similarity(features, image, shift):
    with torch.no_grad():
        moved = features(fractional_shift(image, shift))
        back = fractional_shift(moved, -shift / 2)
        still = features(image)
    return functional.cosine_similarity(still.flatten(), back.flatten(), 0)


def test_bad_input():
    with pytest.raises(ValueError, match=r"cutoff must be above 0 .* got 1.5"):
        SincKernel(6, cutoff=1.5)
    with pytest.raises(TypeError, match="cutoff must be a number, got str"):
        BandlimitedKernel(1, 1, (6, 6), cutoff="low")  # type: ignore
    with pytest.raises(ValueError, match=r"taps must be at most kernel_size, \(3, 3\)"):
        BandlimitedKernel(1, 1, (3, 3), taps=4)
