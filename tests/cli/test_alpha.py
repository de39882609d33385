"""Transparency: colours weigh by their opacity, and opacity does not ring."""

import numpy as np
import pytest
from PIL import Image

from tests.cli import samples


@pytest.mark.parametrize("command", ["upscale", "resize"])
def test_colours_do_not_bleed_from_below_transparency(command, tmp_path):
    """Red, half of it transparent above garbage: no pixel that can be seen is green."""
    array = np.zeros((20, 20, 4), np.uint8)
    array[:, :10] = (200, 0, 0, 255)
    array[:, 10:] = (0, 255, 0, 0)
    Image.fromarray(array).save(tmp_path / "in.png")
    net = samples.cubic_net(tmp_path / "net.safetensors")
    extra = ("--model", net) if command == "upscale" else ()
    samples.call(
        command, tmp_path / "in.png", tmp_path / "out.png", "--scale", 3, *extra
    )
    made = samples.pixels(tmp_path / "out.png")
    seen = made[..., 3] > 0
    assert 0.5 < seen.mean() < 0.6
    assert made[..., 1][seen].max() == 0
    assert made[..., 0][seen].min() >= 199


def over(array: np.ndarray, background: int) -> np.ndarray:
    """What one sees of colours and opacity."""
    colours, opacity = array[..., :3].astype(float), array[..., 3:] / 255
    return colours * opacity + background * (1 - opacity)


@pytest.mark.parametrize("background", [0, 255])
@pytest.mark.parametrize(
    ("command", "scale"), [("resize", "1/4"), ("resize", "2"), ("upscale", "2")]
)
def test_what_one_sees_is_what_one_would_have_seen(
    command, scale, background, tmp_path
):
    """The picture above a background, resized by Pillow, and the other way round.

    Red beside a green of which nobody sees anything: it must not show at the edge.
    """
    array = np.zeros((64, 64, 4), np.uint8)
    array[:, :30], array[:, 30:] = (255, 0, 0, 255), (0, 255, 0, 2)
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    Image.fromarray(array).save(source)
    net = samples.cubic_net(tmp_path / "net.safetensors")
    extra = ("--model", net) if command == "upscale" else ()
    assert samples.call(command, source, target, "--scale", scale, *extra) == 0
    made = samples.pixels(target)
    flat = Image.fromarray(over(array, background).round().astype(np.uint8))
    expected = np.asarray(flat.resize(made.shape[1::-1], Image.Resampling.BICUBIC))
    apart = np.abs(over(made, background) - expected)
    assert apart.max() <= (3 if command == "resize" else 25)


@pytest.mark.parametrize(
    "command", [("upscale",), ("resize", "--kernel", "lanczos3"), ("resize",)]
)
@pytest.mark.parametrize("scale", [2, "7/3"])
def test_a_cut_out_has_no_haze_and_no_holes(command, scale, tmp_path):
    """Beyond a pixel of the edge, all is as clear, or as opaque, as it was."""
    y, x = np.mgrid[:48, :40] - np.array([23.5, 19.5])[:, None, None]
    distance = np.hypot(y, x)
    array = np.zeros((48, 40, 4), np.uint8)
    array[distance < 15] = (200, 30, 30, 255)
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    Image.fromarray(array).save(source)
    assert samples.call(*command, source, target, "--scale", scale) == 0
    alpha = samples.pixels(target)[..., 3]
    height, width = alpha.shape
    scale = 2 if scale == 2 else 7 / 3
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2) / scale
    assert alpha[distance > 16.5].max() == 0
    assert alpha[distance < 13.5].min() == 255


def test_grey_that_is_stored_as_colours_stays_grey(tmp_path):
    """Also with alpha: red, green and blue are the same number everywhere."""
    colours = samples.planes(1)[..., None].repeat(3, 2)
    for array in (colours, np.dstack([colours, samples.with_alpha(1)[..., 1:]])):
        source, target = tmp_path / "in.png", tmp_path / "out.png"
        Image.fromarray(array).save(source)
        options = ("--scale", 2, "--force")
        assert samples.call("upscale", source, target, *options) == 0
        made = samples.pixels(target)[..., :3]
        assert np.ptp(made, axis=2).max() == 0 and np.ptp(made) > 100


def test_opacity_that_is_full_is_none_to_lose(tmp_path):
    array = np.dstack([samples.planes(3), np.full(samples.SHAPE, 255, np.uint8)])
    Image.fromarray(array).save(tmp_path / "in.png")
    for name in ("out.jpg", "out.bmp"):
        assert (
            samples.call("resize", tmp_path / "in.png", tmp_path / name, "--scale", 1)
            == 0
        )
        assert samples.pixels(tmp_path / name).shape == (24, 18, 3)
