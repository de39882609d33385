"""centroid and drift, against SciPy and what is known of filters."""

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from contconv import continuous_conv, resize
from contconv.kernels import GaussianKernel
from contconv.metrics import centroid, drift
from tests.metrics.networks import noise


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_centroid_is_scipys(dtype):
    images = noise(2, 3, 9, 6).abs().to(dtype)
    found = centroid(images)
    assert found.shape == (2, 3, 2)
    for place in itertools.product(range(2), range(3)):
        centre: Any = ndimage.center_of_mass(images[place].double().numpy())
        expected = [centre[0] - 4, centre[1] - 2.5]
        assert found[place].tolist() == pytest.approx(expected, abs=1e-12)


def test_centroid_has_gradients():
    images = noise(2, 4, 5).abs().requires_grad_()
    assert torch.autograd.gradcheck(centroid, (images,))


def cross(dtype: torch.dtype) -> Tensor:
    """Fig. 6."""
    image = torch.zeros(1, 1, 101, 101, dtype=dtype)
    image[..., 50, 45:56] = image[..., 45:56, 50] = 1
    return image


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_discrete_filters_creep_and_continuous_ones_do_not(dtype):
    """Fig. 6: half a pixel for each 4x4 filter, and none."""
    line = torch.arange(4, dtype=dtype) - 1.5
    taps = torch.exp(-(line**2))
    taps = torch.outer(taps, taps) / taps.sum() ** 2

    def discrete(image: Tensor) -> Tensor:
        return F.conv2d(F.pad(image, (1, 2, 1, 2)), taps[None, None])

    kernel = GaussianKernel(0.5, (4, 4))
    way = drift(discrete, cross(dtype), 30)
    steps = torch.arange(31, dtype=torch.float64)[:, None]
    torch.testing.assert_close(way, (-0.5 * steps).expand(31, 2), atol=1e-4, rtol=0)
    way = drift(lambda image: continuous_conv(image, kernel), cross(dtype), 30)
    assert way.abs().max() < 1e-6


def test_drift_counts_in_pixels_of_the_first_image():
    """Shifted by (1, 2) and doubled: half as far each time."""

    def shifted_and_doubled(image: Tensor) -> Tensor:
        return F.interpolate(image.roll((1, 2), (2, 3)), scale_factor=2.0)

    way = drift(shifted_and_doubled, cross(torch.float32)[..., 40:60, 40:60], 4)
    expected = torch.tensor([0, 1, 1.5, 1.75, 1.875]).double()
    torch.testing.assert_close(way, torch.stack([expected, 2 * expected], 1))


def test_resizing_keeps_a_blob_in_its_place():
    """Off the centre, also where sizes were rounded up: 50, 42 and 35 pixels."""
    line = torch.arange(60.0).double()
    blob = torch.outer(
        torch.exp(-((line - 20) ** 2) / 30), torch.exp(-((line - 33) ** 2) / 30)
    )[None, None]
    way = drift(lambda image: resize(image, scale=5 / 6), blob, 3, scale=5 / 6)
    assert way.abs().max() < 1e-3
    way = drift(lambda image: resize(image, size=(42, 77)), blob, 1)
    assert way.abs().max() < 1e-3


def test_drift_takes_the_scale_that_is_given():
    """Cut by a pixel on all sides: nothing moves, and no pixel changes its size."""
    image = cross(torch.float64)[..., 30:70, 35:75]
    way = drift(lambda image: image[..., 1:-1, 1:-1], image, 3, scale=1)
    assert way.abs().max() < 1e-12
    # Sizes alone say that each pixel of 34 x 34 is 40/34 wide.
    way = drift(lambda image: image[..., 1:-1, 1:-1], image, 3)
    expected = torch.tensor([0.5, -4.5]).double() * (40 / 34 - 1)
    torch.testing.assert_close(way[3], expected)


def test_channels_count_together():
    image = torch.zeros(1, 2, 5, 5)
    image[0, 0, 2, 2], image[0, 1, 2, 4] = 3, 1
    way = drift(lambda image: image.roll(-1, 3)[:, :1], image, 1)
    torch.testing.assert_close(way[1], torch.tensor([0, -1.5]).double())
