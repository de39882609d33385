"""PSNR and SSIM against torchmetrics, and against numbers known beforehand."""

import math

import pytest
import torch
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from contconv.metrics import psnr, ssim


def pair(channels=3, size=(24, 31), peak=1.0):
    targets = torch.rand(2, channels, *size)
    images = (targets + 0.1 * torch.randn_like(targets)).clamp(0, 1)
    return peak * images, peak * targets


@pytest.mark.parametrize("peak", [1.0, 255.0])
@pytest.mark.parametrize("shave", [0, 3])
def test_psnr_is_that_of_torchmetrics(peak, shave):
    images, targets = pair(peak=peak)
    inner = (slice(None), slice(shave, 24 - shave), slice(shave, 31 - shave))
    expected = [
        peak_signal_noise_ratio(a[inner].double(), b[inner].double(), data_range=peak)
        for a, b in zip(images, targets, strict=True)
    ]
    found = psnr(images, targets, peak=peak, shave=shave)
    torch.testing.assert_close(found, torch.stack(expected))


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_ssim_is_that_of_torchmetrics(peak):
    images, targets = pair(peak=peak)
    found = structural_similarity_index_measure(
        images.double(), targets.double(), data_range=peak, return_full_image=True
    )
    # It counts a mirrored border, too, which the literature leaves out.
    expected = found[1][..., 5:-5, 5:-5].mean((1, 2, 3))
    torch.testing.assert_close(ssim(images, targets, peak=peak), expected)


def test_luma():
    """White, black, red: 235, 16 and 81 of 255."""
    white, red = torch.ones(3, 4, 4), torch.zeros(3, 4, 4)
    red[0] = 1
    found = psnr(white, torch.zeros(3, 4, 4), luma=True)
    assert found.item() == pytest.approx(20 * math.log10(255 / 219), abs=1e-4)
    found = psnr(255 * red, torch.zeros(3, 4, 4), peak=255, luma=True)
    assert found.item() == pytest.approx(20 * math.log10(255 / 65.481), abs=1e-6)


def test_luma_of_ssim_is_that_of_y():
    images, targets = pair()
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=torch.float64) / 255
    y = [
        torch.einsum("nchw,c->nhw", one.double(), weights)[:, None] + 16 / 255
        for one in (images, targets)
    ]
    torch.testing.assert_close(ssim(images, targets, luma=True), ssim(*y))


def test_equal_images():
    image = torch.rand(1, 1, 12, 12)
    assert psnr(image, image).item() == math.inf
    assert ssim(image, image).item() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shave": 6}, "shave must leave something of 12 x 12 pixels, got 6"),
        ({"peak": 0}, "peak must be positive and finite, got 0"),
        ({"luma": True}, "luma needs images of red, green and blue, got 1 channels"),
        ({"shave": -1}, "shave must be at least 0"),
    ],
)
def test_refuses(options, message):
    image = torch.rand(1, 1, 12, 12)
    for metric in (psnr, ssim):
        with pytest.raises(ValueError, match=message):
            metric(image, image, **options)


def test_refuses_shapes_and_types():
    image = torch.rand(1, 1, 12, 12)
    with pytest.raises(ValueError, match="must have the same shape"):
        psnr(image, image[0])
    with pytest.raises(TypeError, match="targets must be a floating-point tensor"):
        psnr(image, image.to(torch.uint8))
    with pytest.raises(ValueError, match="at least 11 pixels within the border"):
        ssim(image, image, shave=1)
