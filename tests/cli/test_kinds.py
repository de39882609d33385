"""Every kind of picture comes out as the kind that it was, with the right pixels."""

import inspect

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from skimage import data
from torch.nn.functional import interpolate

from contconv import resize
from tests.cli import samples

LOSSY = (".jpg", ".jpeg", ".webp")


@pytest.fixture(params=samples.KINDS)
def kind(request, tmp_path):
    """A picture in a file, and what it should come out as."""
    suffix, content, channels, dtype = samples.KINDS[request.param]
    path = tmp_path / f"in{suffix}"
    path.write_bytes(content)
    return path, tmp_path / f"out{suffix}", channels, dtype


def test_resized_as_the_library_does(kind):
    source, target, channels, dtype = kind
    options = ("--size", 12, 15, "--stretch")
    assert samples.call("resize", source, target, *options) == 0
    made = samples.pixels(target)
    assert made.shape == (15, 12, channels) and made.dtype == dtype
    before = samples.pixels(source)
    if before.shape[2] != channels or source.suffix in LOSSY:
        return  # palettes and the like: the shape is what can be compared
    has_alpha = _has_alpha(source)
    if has_alpha:
        # Opacity is computed in floating point, with the colours that it weighs.
        before, made = before[..., -1:].astype(np.uint16), made[..., -1:]
    expected = _resized(before, (15, 12))
    if dtype == np.uint8 and not has_alpha:
        assert np.array_equal(made, expected)
    else:
        expected = expected.clip(0, np.iinfo(dtype).max).astype(int)
        assert np.abs(made.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("clear", [False, True], ids=["opaque", "alpha"])
def test_16_bits_become_the_nearest_of_8(clear, tmp_path):
    """Not by a shift, which is off by one for half of all values."""
    values = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    planes = np.dstack([values, values.T, values[::-1]])
    if clear:
        planes = np.dstack([planes, values])
    source, out = tmp_path / "in.png", tmp_path / "out.webp"
    source.write_bytes(bytes(imagecodecs.png_encode(planes)))
    assert samples.call("resize", source, out, "--scale", 1, "--quality", 100) == 0
    made, expected = samples.pixels(out), np.rint(planes / 257)
    # Below no opacity there is no colour.
    assert np.array_equal(made[..., 3:], expected[..., 3:])
    assert clear or np.array_equal(made, expected)


def test_enlarged_by_a_network_that_is_cubic(kind, tmp_path):
    source, target, channels, dtype = kind
    net = samples.cubic_net(tmp_path / "net.safetensors")
    options = ("--scale", "2", "1.5", "--model", net, "--quality", 100)
    assert samples.call("upscale", source, target, *options) == 0
    made = samples.pixels(target)
    assert made.shape == (48, 27, channels) and made.dtype == dtype
    before = samples.pixels(source)
    if before.shape[2] != channels or _has_alpha(source):
        return
    white = np.iinfo(dtype).max
    floats = torch.from_numpy(before.astype(np.float64).transpose(2, 0, 1))[None]
    expected = resize(floats, size=(48, 27))[0].clamp(0, white).numpy()
    apart = np.abs(made.transpose(2, 0, 1) - expected)
    assert apart.max() <= (white * 0.03 if source.suffix in LOSSY else 0.75)


def _has_alpha(path) -> bool:
    image = samples.opened(path)
    extra = getattr(image, "tag_v2", {}).get(338)
    return image.mode in ("LA", "RGBA", "P") or bool(extra)


def _resized(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    planes = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    if array.dtype == np.uint8:
        return resize(planes[None], size=size)[0].permute(1, 2, 0).numpy()
    floats = torch.from_numpy(array.astype(np.float64).transpose(2, 0, 1))[None]
    out = (resize(floats, size=size)[0] + 0.5).floor().clamp(0, 65535)
    return out.permute(1, 2, 0).numpy().astype(np.uint16)


def test_premultiplied_colours_are_divided(tmp_path):
    """In 16 bits as Pillow does it in 8."""
    straight, opacity = samples.planes(3, np.uint16), np.uint16(32768)
    alpha = np.full((*samples.SHAPE, 1), opacity)
    multiplied = (straight * (int(opacity) / 65535)).round().astype(np.uint16)
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    tifffile.imwrite(
        source,
        np.concatenate([multiplied, alpha], 2),
        photometric="rgb",
        extrasamples=["assocalpha"],
        metadata=None,
    )
    assert samples.call("resize", source, target, "--scale", 1) == 0
    made = samples.pixels(target).astype(int)
    assert np.abs(made[..., :3] - straight).max() <= 1
    assert (made[..., 3] == opacity).all()


@pytest.mark.slow
def test_tiles_make_the_same_file(tmp_path):
    """Bit for bit, with tiles of any size; a picture that is encoded in parts."""
    photograph = data.astronaut()[:180, 100:290]
    Image.fromarray(photograph).save(tmp_path / "in.png")
    for tile in (64, 2000):
        out = tmp_path / f"{tile}.png"
        options = ("--scale", 1.3, 1.7, "--tile", tile, "--ensemble", 2)
        assert samples.call("upscale", tmp_path / "in.png", out, *options) == 0
    made = [(tmp_path / f"{tile}.png").read_bytes() for tile in (64, 2000)]
    assert made[0] == made[1]


def test_the_shipped_network_is_sharper_than_cubic(tmp_path):
    """A photograph, made small and enlarged again: nearer to what it was."""
    photograph = data.astronaut()[60:180, 160:280]
    Image.fromarray(photograph).save(tmp_path / "large.png")
    samples.call(
        "resize", tmp_path / "large.png", tmp_path / "small.png", "--scale", 0.4
    )
    errors = {}
    for command in ("resize", "upscale"):
        out = tmp_path / f"{command}.png"
        samples.call(command, tmp_path / "small.png", out, "--size", 120, 120)
        apart = samples.pixels(out).astype(float) - photograph
        errors[command] = np.square(apart).mean()
    assert errors["upscale"] < 0.7 * errors["resize"]


@pytest.mark.parametrize(
    ("edges", "mode"),
    [
        ("replicate", "edge"),
        ("symmetric", "symmetric"),
        ("reflect", "reflect"),
        ("circular", "wrap"),
        ("zeros", "constant"),
    ],
)
def test_edges_are_those_of_a_larger_picture(edges, mode, tmp_path):
    """NumPy puts the pixels there that the option stands for."""
    array = samples.planes(3)
    around = np.pad(array, [(6, 6), (6, 6), (0, 0)], mode)  # type: ignore
    for name, pixels in (("a", array), ("b", around)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        arguments = (tmp_path / f"{name}.png", tmp_path / f"{name}2.png")
        assert samples.call("resize", *arguments, "--scale", 2, "--edges", edges) == 0
    made, expected = (samples.pixels(tmp_path / f"{name}2.png") for name in "ab")
    assert np.array_equal(made, expected[12:-12, 12:-12])


@pytest.mark.skipif(
    "align" not in inspect.signature(resize).parameters,
    reason="the library's resize has no align yet",
)
def test_align(tmp_path):
    """First pixels on first pixels; or first edges, as PyTorch scales."""
    array, source = samples.planes(3), tmp_path / "in.png"
    Image.fromarray(array).save(source)
    options = ("--scale", 1.3, "--kernel", "linear", "--align")
    assert samples.call("resize", source, tmp_path / "edge.png", *options, "edge") == 0
    floats = torch.from_numpy(array.astype(np.float64).transpose(2, 0, 1))[None]
    expected = interpolate(floats, scale_factor=1.3, mode="bilinear")[0].numpy()
    height, width = expected.shape[1:]  # it leaves out the last pixel, which is cut
    made = samples.pixels(tmp_path / "edge.png")[:height, :width]
    assert np.abs(made.transpose(2, 0, 1) - expected).max() < 1.01
    options = ("--scale", 2, "--kernel", "linear", "--align")
    target = tmp_path / "first.png"
    assert samples.call("resize", source, target, *options, "first") == 0
    assert np.array_equal(samples.pixels(target)[::2, ::2], array)
    options = ("--scale", 3, "--kernel", "nearest")
    assert samples.call("resize", source, target, *options, "--force") == 0
    assert np.array_equal(samples.pixels(target), array.repeat(3, 0).repeat(3, 1))
