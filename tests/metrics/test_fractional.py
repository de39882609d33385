"""fractional_shift, against torch.roll, the formula of a wave, and SciPy."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from contconv.metrics import fractional_shift
from tests.metrics.networks import noise


@pytest.mark.parametrize("size", [(8, 6), (7, 9), (1, 2), (5, 4)], ids=str)
@pytest.mark.parametrize("shift", [(0, 0), (1, -2), (-3, 5), (1000001, -77)], ids=str)
def test_a_whole_pixel_is_a_roll(size, shift):
    images = noise(2, 3, *size)
    found = fractional_shift(images, shift)
    torch.testing.assert_close(found, images.roll(shift, (2, 3)), atol=1e-12, rtol=0)
    single = fractional_shift(images.float(), shift)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single, images.float().roll(shift, (2, 3)))


@pytest.mark.parametrize("size", [(16, 15), (9, 12)], ids=str)
def test_waves_move_by_the_formula(size):
    """Band-limited: every frequency below half the size, by any shift."""
    y, x = torch.meshgrid(*(torch.arange(n).double() for n in size), indexing="ij")

    def wave(y_shift: float, x_shift: float) -> Tensor:
        total = torch.zeros(size, dtype=torch.float64)
        for k, m in itertools.product(range(-3, 4), repeat=2):
            angle = k * (y - y_shift) / size[0] + m * (x - x_shift) / size[1]
            total += torch.cos(2 * math.pi * angle + k + 2 * m)
        return total

    for shift in [(0.5, 0.25), (-1.37, 2.9), (40.1, -33.3)]:
        found = fractional_shift(wave(0, 0)[None, None], shift)[0, 0]
        torch.testing.assert_close(found, wave(*shift), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    "size, shift", [((9, 7), (0.3, -1.6)), ((8, 6), (0.7, 0)), ((8, 6), (0, -2.2))]
)
def test_is_scipys_fourier_shift(size, shift):
    """White noise; at even sizes one axis at a time, as real images are in between."""
    image = noise(1, 1, *size)
    spectrum = ndimage.fourier_shift(np.fft.fft2(image[0, 0].numpy()), shift)
    expected = torch.from_numpy(np.fft.ifft2(spectrum).real)
    torch.testing.assert_close(fractional_shift(image, shift)[0, 0], expected)


def test_the_highest_frequency_keeps_its_cosine():
    """Pixels of +1 and -1 in turn hold no sine to move to."""
    image = torch.tensor([1.0, -1.0]).repeat(4).double().expand(1, 1, 3, 8)
    for shift in (0.25, 0.5, 1.0, 1.8):
        found = fractional_shift(image, (0, shift))
        torch.testing.assert_close(found, image * math.cos(math.pi * shift))


def test_shifts_of_every_form():
    images = noise(3, 2, 6, 7)
    both = fractional_shift(images, 0.3)
    for same in ((0.3, 0.3), [0.3, 0.3], torch.tensor([0.3, 0.3]).double()):
        torch.testing.assert_close(fractional_shift(images, same), both)
    each = torch.tensor([[0.3, 1], [-2, 0.1], [5, 5]], dtype=torch.float64)
    rows = [fractional_shift(images[i, None], each[i]) for i in range(3)]
    torch.testing.assert_close(fractional_shift(images, each), torch.cat(rows))
    low = fractional_shift(images.bfloat16(), 1)
    assert torch.equal(low, images.bfloat16().roll((1, 1), (2, 3)))


@pytest.mark.parametrize("size", [(4, 5), (3, 6)], ids=str)
def test_fractional_shift_has_gradients(size):
    images = noise(2, 1, *size).requires_grad_()
    shift = torch.tensor([[0.3, 1.2], [-0.7, 2.1]], dtype=torch.float64)
    assert torch.autograd.gradcheck(fractional_shift, (images, shift.requires_grad_()))
