"""Pairs of small and large pictures: sizes, sources; the known PSNR of cubic."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from contconv import resize
from experiments.shared.benchmarks import measured, numbered, pairs
from training.errors import DataError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Set5 of noise: one in colour, 41 x 50 pixels, one grey; small ones of x3."""
    monkeypatch.setenv("CONTCONV_DATA", str(tmp_path))
    chance = np.random.default_rng(0)
    for part, shape in {"hr": (41, 50), "lr_x3": (13, 16)}.items():
        place = tmp_path / "benchmarks" / "Set5" / part
        place.mkdir(parents=True)
        for name, more in {"001": (3,), "005": ()}.items():
            array = chance.integers(256, size=(*shape, *more), dtype=np.uint8)
            Image.fromarray(array).save(place / f"{name}.png")
    return tmp_path / "benchmarks" / "Set5"


def levels(image):
    return (255 * image).round().byte()


def picture(path):
    array = np.array(Image.open(path).convert("RGB"))
    return torch.from_numpy(array).permute(2, 0, 1)[None]


def test_whole_scales_take_the_small_pictures_that_come_with_the_set(folder):
    first, _ = pairs("Set5", (3, 3))
    assert torch.equal(levels(first.small), picture(folder / "lr_x3" / "001.png"))
    hr = picture(folder / "hr" / "001.png")
    assert torch.equal(levels(first.large), hr[:, :, :39, :48])


@pytest.mark.parametrize(
    ("scales", "small", "large"),
    [
        ((1.7, 1.7), (24, 29), (41, 49)),
        ((2, 3.5), (20, 14), (40, 49)),
        ((8, 8), (5, 6), (40, 48)),
    ],
)
def test_other_scales_are_made_by_resize(folder, scales, small, large):
    pair = numbered("Set5", 0, scales)
    cut = picture(folder / "hr" / "001.png")[:, :, : large[0], : large[1]]
    assert torch.equal(levels(pair.large), cut)
    assert torch.equal(levels(pair.small), resize(cut, size=small))


def test_grey_pictures_have_three_equal_channels(folder):
    pair = numbered("Set5", 1, (3, 3))
    assert pair.large.shape == (1, 3, 39, 48)
    assert torch.equal(pair.large[:, :1].expand(-1, 3, -1, -1), pair.large)


def test_the_picture_that_was_learned_from_can_be_left_out(folder):
    assert len(list(pairs("Set5", (3, 3)))) == 2
    assert len(list(pairs("Set5 unseen", (3, 3)))) == 1


def test_perfect_pictures(folder):
    larges = iter([pair.large for pair in pairs("Set5", (3, 3))])
    found = measured(lambda small, size: next(larges), "Set5", (3, 3))
    assert found == {"psnr": math.inf, "ssim": 1}


def test_missing_pictures(folder, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"lr_x2/001\.png is missing; lr_x2 has to be"):
        list(pairs("Set5", (2, 2)))
    monkeypatch.setenv("CONTCONV_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"no Set5 in .*nowhere.*by CONTCONV_DATA"):
        list(pairs("Set5", (2, 2)))


@pytest.mark.parametrize(("scale", "expected"), [(2, 33.66), (3, 30.39), (4, 28.42)])
def test_cubic_resizing_reaches_what_is_published(scale, expected):
    """In 8 bits of MATLAB, which rounds between the axes, too: that is 0.02 dB."""

    def cubic(images, size):
        return resize(images, size=size, antialias=False)

    try:
        found = measured(cubic, "Set5", (scale, scale))
    except DataError as error:
        pytest.skip(f"NOT TRIED: {error}")
    assert found["psnr"] == pytest.approx(expected, abs=0.025)
