"""Which weights enlarge a picture: as asked for, or by the quality of a JPEG."""

from io import BytesIO

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from contconv.models import SuperResolutionNet
from contconv.models.superres import trained
from contconv_cli.networks import PHOTO_BELOW
from contconv_cli.pictures import jpeg
from tests.cli import samples


@pytest.fixture
def shipped(monkeypatch, tmp_path):
    """Two networks in place of those that ship, which make different pictures."""
    clean = samples.cubic_net(tmp_path / "clean.safetensors")
    net = SuperResolutionNet(4, 1)
    net.refine[-1].bias.data.fill_(0.1)  # type: ignore
    net.save(tmp_path / "photo.safetensors")
    monkeypatch.setitem(trained.SHIPPED, "clean", clean)
    monkeypatch.setitem(trained.SHIPPED, "photo", tmp_path / "photo.safetensors")


def saved(quality: int, **options) -> bytes:
    file = BytesIO()
    image = Image.fromarray(data.astronaut()[:32, :48])
    image.save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_the_quality_is_what_libjpeg_was_told(mode):
    for quality in (5, 30, 49, 50, 51, 75, 90, 95, 100):
        file = BytesIO()
        Image.new(mode, (8, 8)).save(file, "JPEG", quality=quality)
        with Image.open(file) as image:
            assert jpeg.quality(image.quantization) == quality  # type: ignore
    assert jpeg.quality(None) is jpeg.quality({}) is None


def test_tables_of_others_have_the_nearest_quality():
    """Flat ones, as of some cameras; of 16 bits; and a second one that counts less."""
    assert jpeg.quality({0: [1] * 64}) == 100
    assert jpeg.quality({0: [58] * 64, 1: [1] * 64}) == 50
    assert jpeg.quality({1: [1] * 64, 0: [60000] * 64}) == 1


def test_each_picture_of_a_folder_has_its_weights(shipped, tmp_path, capsys):
    """As if they were asked for, bit for bit; of what is no JPEG the clean ones."""
    folder = tmp_path / "[red]in"
    folder.mkdir()
    below, above = saved(PHOTO_BELOW - 1), saved(PHOTO_BELOW, progressive=True)
    wanted = {"a.jpg": (below, "photo"), "b.jpg": (above, "clean")}
    wanted["c.png"] = (samples.KINDS["rgb png"][1], "clean")
    wanted["d.webp"] = (samples.KINDS["rgb webp"][1], "clean")
    for name, (content, _) in wanted.items():
        (folder / name).write_bytes(content)
    options = ("--scale", 2, "--format", "png")
    assert samples.call("upscale", folder, tmp_path / "out", *options) == 0
    assert "; clean weights: 1; photo weights: 1" in capsys.readouterr().err
    for name, (_, model) in wanted.items():
        out = tmp_path / f"{name}.png"
        assert (
            samples.call("upscale", folder / name, out, *options, "--model", model) == 0
        )
        made = (tmp_path / "out" / name).with_suffix(".png")
        assert made.read_bytes() == out.read_bytes()
    assert "weights" not in capsys.readouterr().err


def test_a_line_says_why(shipped, tmp_path, capsys):
    source = tmp_path / "[red]a.jpg"
    source.write_bytes(saved(30))
    assert samples.call("upscale", source, "--scale", 2) == 0
    said = capsys.readouterr().err
    assert f"{source}: photo weights: a JPEG of quality 30\n" in said


def test_a_file_of_weights(shipped, tmp_path, capsys, monkeypatch):
    """Also one that is called as weights that ship are; one that is not there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jpg").write_bytes(saved(30))
    samples.cubic_net(tmp_path / "photo")
    made = []
    for model in ("./photo", "clean", "photo"):
        out = f"{len(made)}.png"
        assert (
            samples.call("upscale", "in.jpg", out, "--scale", 2, "--model", model) == 0
        )
        made.append((tmp_path / out).read_bytes())
    assert made[0] == made[1] != made[2]
    capsys.readouterr()
    arguments = ("in.jpg", "out.png", "--scale", 2, "--model", "[b]none")
    assert samples.call("upscale", *arguments) == 1
    assert capsys.readouterr().err == "contconv: there are no weights at [b]none\n"
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("has_amx", [True, False])
@pytest.mark.parametrize("bits", [8, 16])
def test_precision(bits, has_amx, tmp_path, monkeypatch):
    """bfloat16 moves few pixels by a level; auto takes it with AMX, for 8 bits."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": has_amx})
    content = data.astronaut()[40:100, 140:210].astype(f"uint{bits}") << bits - 8
    (tmp_path / "in.png").write_bytes(imagecodecs.png_encode(content))
    made = {}
    for precision in ("auto", "float32", "bfloat16"):
        out = tmp_path / f"{precision}.png"
        options = ("--scale", 2, "--model", "clean", "--precision", precision)
        assert samples.call("upscale", tmp_path / "in.png", out, *options) == 0
        made[precision] = samples.pixels(out).astype(int)
    taken = "bfloat16" if has_amx and bits == 8 else "float32"
    assert np.array_equal(made["auto"], made[taken])
    differing = abs(made["bfloat16"] - made["float32"])
    assert differing.max() <= 2 * 2 ** (bits - 8)
    assert 0 < (differing > 0).mean() < (0.1 if bits == 8 else 1.01)


@pytest.mark.slow
def test_photo_weights_are_above_the_clean_ones_on_a_jpeg():
    """And below them on what was none."""
    large = torch.from_numpy(data.astronaut()[40:200, 140:300]).permute(2, 0, 1)[None]
    errors = {}
    for quality in (40, None):
        small = Image.fromarray(large[0].permute(1, 2, 0).numpy()).resize((80, 80), 3)
        if quality:
            file = BytesIO()
            small.save(file, "JPEG", quality=quality)
            small = Image.open(file)
        image = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None]
        for name in ("clean", "photo"):
            net = trained.load(name).requires_grad_(False)
            made = 255 * net(image / 255, size=(160, 160)).clamp(0, 1)
            errors[quality, name] = (made - large).square().mean().item()
    assert errors[40, "photo"] < 0.9 * errors[40, "clean"]
    assert errors[None, "photo"] > errors[None, "clean"]
