"""What is wrong is one line that says what, and how it goes right."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.cli import samples


@pytest.fixture
def said(tmp_path, capsys, monkeypatch):
    """Calls the command in a folder of its own; the code, and what it says."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(samples.planes(3)).save("in.png")

    def call(*arguments):
        code = samples.call(*arguments)
        error = capsys.readouterr().err.strip()
        assert "\n" not in error and "Traceback" not in error
        return code, error

    return call


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in.png", "out.png"), "give a size: --scale 2.7, --scale SY SX, --width"),
        (("in.png", "out.png", "--scale", 2, "--size", 9, 9), "one of them"),
        (("in.png", "out.png", "--scale", "0"), "--scale must be positive"),
        (("in.png", "out.png", "--scale", "nan"), "--scale must be positive"),
        (("in.png", "out.png", "--scale", "2,7"), "--scale must be positive"),
        (("in.png", "out.png", "--scale", "1/0"), "--scale must be positive"),
        (("in.png", "out.png", "--scale", "0x10"), "horizontal, got '0' in '0x10'"),
        (("in.png", "out.png", "--scale", "1e99999999"), "--scale must be positive"),
        (("in.png", "out.png", "--scale", "1e400"), "--scale must lie between"),
        (("in.png", "out.png", "--scale", "1e-9"), "--scale must lie between"),
        (("in.png", "out.png", "--size", "9"), "--size must be width and height"),
        (("in.png", "out.png", "--size", "9", "-3"), "--size must be width"),
        (("in.png", "out.png", "--scale", 2, "--quality", 0), "--quality must be 1"),
        (("in.png", "out.png", "--scale", 2, "--max-pixels", 0), "at least 1, got 0"),
        (
            ("in.png", "out.png", "--width", 0),
            "--width must be at least 1 pixel, got 0",
        ),
        (("in.png", "out.png", "--size", "50%"), "--scale 50% is a scale"),
        (("in.png", "out.png", "--fit", "a"), "--fit must be width and height"),
        (("in.png", "out.png", "--scale", "1,5"), "write 1.5"),
        (("--scale", 2), "name a picture or a folder"),
        (("", "out.png", "--scale", 2), "the name of a picture or a folder is empty"),
        (
            ("in.png", "a.png", "b", "--scale", 2),
            "2 pictures need a folder to go to: -o",
        ),
        (("in.png", "-o", "o.png", "--format", "webp", "--scale", 2), "o.png says PNG"),
        (("in.png", "--format", "psd", "--scale", 2), "--format must be one of png"),
        (("in.png", "out.png", "--sclae", 2), "--sclae"),
        # None of these is rounded, nor passed over.
        (("in.png", "out.png", "--width", "3.5"), "must be a whole number, got '3.5'"),
        (("in.png", "out.png", "--quality", "9.6", "--scale", 2), "got '9.6'"),
        (("in.png", "out.png", "--size", "9" * 5000 + "x1"), "--size must be width"),
        (("in.png", "-o", "", "--scale", 2), "name of a picture or a folder is empty"),
        (("in.png", "-o", "a.png", "--target", "b.png", "--scale", 2), "not both"),
        (("in.png", "a.png", "b" * 300, "--scale", 2), "2 pictures need a folder"),
    ],
)
def test_usage(said, arguments, message):
    code, error = said("resize", *arguments)
    assert code == 2 and message in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.png", "out.png"), "none.png does not exist"),
        (("in.png", "in.png"), "in.png is the picture itself"),
        (("in.png", "out.psd"), "out.psd has the suffix '.psd'; pictures are written"),
        (("in.png", "out"), "out has the suffix ''"),
        (("in.png", "there.png"), "there.png exists already; --force makes it anew"),
        (("empty.png", "out.png"), "empty.png is empty"),
        (("text.png", "out.png"), "text.png is no picture that can be read"),
        (("cut.png", "out.png"), "cut.png is damaged or truncated"),
        (("cut.jpg", "out.png"), "cut.jpg is damaged or truncated"),
        (("cut.webp", "out.png"), "cut.webp is"),
        (("cut16.png", "out.png"), "cut16.png is damaged or truncated"),
        (("cut16.tif", "out.png"), "cut16.tif is damaged or truncated"),
        (("bomb.png", "out.png"), "bomb.png has 60000 x 60000 pixels, more than"),
        (("two.tif", "out.png"), "out.png cannot hold 2 pages; write TIFF"),
        (("two.gif", "out.jpg"), "out.jpg cannot hold 2 frames; write PNG, WebP, GIF"),
        (("in.png", "out.png", "--size", 99, 99), "--fit 99x99 keeps its shape"),
        (("floats.tif", "out.png"), "floats.tif has pixels of mode F"),
        (("big.tif", "out.tif"), "big.tif is a BigTIFF file of high bytes first"),
        (("alpha.png", "out.jpg"), "out.jpg cannot hold transparency"),
        (("cmyk.tif", "out.png"), "out.png cannot hold CMYK; write JPEG or TIFF"),
        (("in.png", "file/out.png"), "file/out.png cannot be written"),
        (("in.png", "in.png", "-o", "a.png"), "but a.png is the name of one; for a"),
        (("full", "new.png"), "but new.png is the name of a picture; for a folder"),
        (("hollow", "out"), "hollow holds no pictures (.png, .apng"),
        (("full", "in.png"), "full is a folder, but in.png is a file"),
        (("full", "full"), "full is the folder itself"),
        (("full", "."), "full lies in ., and pictures could overwrite"),
        (("a" * 300 + ".png", "out.png"), "cannot be used: File name too long"),
        (("in.png", "a" * 300 + ".png"), "cannot be used: File name too long"),
    ],
)
def test_pictures(said, tmp_path, arguments, message):
    _write_bad(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    scale = () if "--size" in arguments else ("--scale", 2)
    code, error = said("upscale", *arguments, *scale)
    assert code == 1 and message in error
    assert sorted(tmp_path.rglob("*")) == before


def _write_bad(folder):
    image = Image.fromarray(samples.planes(3))
    image.save(folder / "there.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no picture at all")
    for name, kind in (
        ("cut.png", "rgb png"),
        ("cut.jpg", "rgb jpeg"),
        ("cut.webp", "rgb webp"),
        ("cut16.png", "16-bit rgb png"),
        ("cut16.tif", "16-bit rgb tiff"),
    ):
        content = samples.KINDS[kind][1]
        (folder / name).write_bytes(content[: len(content) * 2 // 3])
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + check
    rest = samples.KINDS["rgb png"][1][33:]
    (folder / "bomb.png").write_bytes(start + rest)
    other = Image.fromarray(255 - samples.planes(3))
    for name in ("two.tif", "two.gif"):
        image.save(folder / name, save_all=True, append_images=[other])
    Image.fromarray(np.zeros((4, 4), np.float32)).save(folder / "floats.tif")
    tifffile.imwrite(folder / "big.tif", np.eye(4), bigtiff=True, byteorder=">")
    (folder / "alpha.png").write_bytes(samples.KINDS["rgba png"][1])
    (folder / "cmyk.tif").write_bytes(samples.KINDS["cmyk tiff"][1])
    (folder / "file").write_text("not a folder")
    (folder / "hollow").mkdir()
    (folder / "full").mkdir()
    image.save(folder / "full" / "a.png")


def test_absurd_sizes_are_refused_before_anything_is_allocated(said):
    code, error = said("upscale", "in.png", "out.png", "--scale", 10**6)
    assert code == 1
    assert "in.png: the output would have 18000000 x 24000000 pixels, more" in error
    code, error = said("resize", "in.png", "out.png", "--longest", 10**9)
    assert code == 1 and "--max-pixels" in error
    options = ("--scale", 2, "--max-pixels", 1000)
    code, error = said("resize", "in.png", "out.png", *options)
    assert code == 1 and "36 x 48 pixels, more than the 1000 of" in error
    code, error = said("resize", "in.png", "out.jpg", "--size", 70000, 1, "--stretch")
    assert code == 1 and "out.jpg can have at most 65535 pixels a side" in error


@pytest.mark.parametrize(
    ("command", "error", "message"),
    [
        ("upscale", "CUDA out of memory. Tried", "in.png does not fit in memory; a"),
        ("resize", "can't allocate memory", "in.png does not fit in memory; make"),
    ],
)
def test_memory_that_runs_out(said, monkeypatch, command, error, message):
    from contconv_cli import enlarge, resize

    def fail(*arguments):
        raise RuntimeError(error)

    monkeypatch.setattr(enlarge.Enlarger, "__call__", fail)
    monkeypatch.setattr(resize.Resizer, "__call__", fail)
    code, line = said(command, "in.png", "out.png", "--scale", 2)
    assert code == 1 and message in line


def test_other_failures_keep_their_traceback(said, monkeypatch):
    """A mistake in the code is none of memory."""
    from contconv_cli import resize

    def fail(*arguments):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(resize.Resizer, "__call__", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        said("resize", "in.png", "out.png", "--scale", 2)


def test_pictures_that_cannot_be_encoded(said, monkeypatch):
    from contconv_cli.pictures import write

    def fail(*arguments):
        raise OSError("encoder error -2")

    monkeypatch.setattr(write, "encoded", fail)
    code, error = said("resize", "in.png", "out.png", "--scale", 2)
    assert (code, error) == (1, "in.png: encoder error -2")


def test_enlarging_does_not_make_smaller(said):
    code, error = said("upscale", "in.png", "out.png", "--scale", 2, 0.5)
    assert code == 1 and "contconv resize makes pictures smaller" in error


def test_options_of_the_network(said, tmp_path):
    arguments = ("upscale", "in.png", "out.png", "--scale", 2)
    assert said(*arguments, "--tile", 9) == (
        2,
        "contconv: --tile must be at least 64 pixels, got 9",
    )
    for count in (0, 9):
        code, error = said(*arguments, "--ensemble", count)
        assert code == 2 and f"--ensemble must be 1 to 8, got {count}" in error
    code, error = said(*arguments, "--model", "")
    assert code == 2 and "or a file of weights, got ''" in error
    code, error = said(*arguments, "--device", "meta")
    assert code == 1 and "device meta cannot be used: it computes no numbers" in error
    code, error = said(*arguments, "--model", "none.safetensors")
    assert code == 1 and "there are no weights at none.safetensors" in error
    (tmp_path / "bad.safetensors").write_bytes(b"x" * 100)
    code, error = said(*arguments, "--model", "bad.safetensors")
    assert code == 1 and "bad.safetensors is no sealed safetensors file" in error
    code, error = said(*arguments, "--device", "abacus")
    assert code == 1 and "abacus" in error
