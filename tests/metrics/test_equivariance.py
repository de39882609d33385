"""shift_equivariance, against scikit-image's interpolation and closed forms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.transform import AffineTransform, warp
from torch import Tensor, nn

from contconv._grid.padding import PADDING_MODES
from contconv.metrics import shift_equivariance
from tests.combinations import pairs
from tests.metrics.networks import Recorder, noise, nothing, seeded, shift_between

# What scikit-image calls the padding modes.
SKIMAGE = dict(
    zip(
        PADDING_MODES, ["constant", "reflect", "edge", "wrap", "symmetric"], strict=True
    )
)


def plain_similarity(net, image, moved, way, mode, border):
    """The paper's words, one channel after the other, with scikit-image's cubic."""
    with torch.no_grad():
        still, other = (net(batch[None])[0].numpy() for batch in (image, moved))
    transform = AffineTransform(translation=way[::-1])
    back = [
        warp(channel, transform, order=3, mode=SKIMAGE[mode], clip=False)
        for channel in other
    ]
    inside = slice(border, -border or None)
    a, b = still[:, inside, inside], np.stack(back)[:, inside, inside]
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


@pairs(
    case={
        "quarter": ((4, 4), None, (1 / 4, 1 / 4)),
        "given": ((2, 3), (0.4, 0.3), (0.4, 0.3)),
    },
    border=[0, 2],
    mode=PADDING_MODES,
)
def test_shift_equivariance_is_what_the_paper_says(case, border, mode):
    stride, scale, factors = case
    images = noise(6, 2, 32, 24)
    net = nn.Conv2d(2, 5, 3, stride=stride, padding=1, dtype=torch.float64)
    recorder = Recorder(net)
    found = shift_equivariance(
        recorder, images, 7, scale=scale, border=border, padding_mode=mode
    )
    moved = recorder.given[1]
    for i in range(6):
        shift = shift_between(images[i], moved[i], 7, mode)
        way = tuple(s * f for s, f in zip(shift, factors, strict=True))
        expected = plain_similarity(net, images[i], moved[i], way, mode, border)
        assert found[i].item() == pytest.approx(expected, rel=1e-10)


def test_the_size_of_the_map_gives_the_scale():
    """Differently per axis."""
    images, net = noise(20, 1, 32, 32), nn.AvgPool2d((2, 4))
    found, given = (
        shift_equivariance(net, images, 5, scale=scale, generator=seeded())
        for scale in (None, (0.5, 0.25))
    )
    assert torch.equal(found, given)


def test_features_that_only_move():
    """Anywhere if all is cyclic; else where the border cuts off what is lost."""
    images = noise(50, 3, 16, 20)
    circular = nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular").double()
    for net in (nothing, circular):
        found = shift_equivariance(net, images, 9, border=0, padding_mode="circular")
        torch.testing.assert_close(found, torch.ones(50, dtype=torch.float64))
    found = shift_equivariance(nothing, images, 6, border=6)
    torch.testing.assert_close(found, torch.ones(50, dtype=torch.float64))
    assert shift_equivariance(nothing, images, 6, border=0).mean() < 0.95


def test_subsampled_noise_moves_only_by_whole_steps():
    """Every fourth pixel of white noise: like itself if both shifts are 0 modulo 4."""
    images = noise(1000, 3, 32, 32, dtype=torch.float32)
    recorder = Recorder(lambda images: images[..., ::4, ::4])
    found = shift_equivariance(
        recorder, images, 4, border=0, padding_mode="circular", generator=seeded(1)
    )
    whole = found > 0.999
    # 3 of the 9 shifts in each axis; what is left correlates with nothing.
    assert whole.float().mean().item() == pytest.approx(1 / 9, abs=0.04)
    assert found[~whole].abs().max() < 0.5
    assert found[~whole].mean().abs() < 0.01


@pytest.mark.parametrize("sigma, low, high", [(0.7, 0, 0.9), (4, 0.99, 1)])
def test_smooth_features_move_by_fractions(sigma, low, high):
    """Aliasing decides: the same network of stride 4, with a narrow and a wide blur."""
    taps = torch.exp(-(torch.arange(-12.0, 13) ** 2) / (2 * sigma**2))
    filters = torch.outer(taps, taps).expand(3, 1, 25, 25)

    def net(images: Tensor) -> Tensor:
        wide = F.pad(images, (12,) * 4, mode="circular")
        return F.conv2d(wide, filters, stride=4, groups=3)

    images = noise(50, 3, 32, 32, dtype=torch.float32)
    found = shift_equivariance(net, images, 8, padding_mode="circular")
    assert low < found.mean() < high


def test_no_features_are_like_nothing():
    found = shift_equivariance(torch.zeros_like, noise(2, 3, 8, 8), 1)
    assert not found.any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_low_precision_of_the_network_only(dtype):
    """The way back and the similarity are in float32, also under autocast."""
    images = noise(8, 3, 16, 16, dtype=torch.float32)
    found = []
    for autocast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            found.append(
                shift_equivariance(
                    lambda images: images[..., ::2, ::2].to(dtype),
                    images,
                    3,
                    generator=seeded(),
                )
            )
    assert found[0].dtype == torch.float32
    assert torch.equal(*found)
