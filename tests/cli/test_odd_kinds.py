"""Pictures that decoders leave half done or take for others: mended, or refused."""

import struct
import zlib
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.cli import samples


def packed(values: np.ndarray, bits: int, clear: int) -> bytes:
    """A grey PNG file of fewer bits, written by hand; one of its greys is clear."""
    rows = b""
    for row in values:
        text = "".join(f"{value:0{bits}b}" for value in row)
        whole = text.ljust(-(-len(text) // 8) * 8, "0")
        rows += b"\0" + int(whole, 2).to_bytes(len(whole) // 8, "big")
    height, width = values.shape
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in (
        (b"IHDR", header),
        (b"tRNS", struct.pack(">H", clear)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ):
        check = struct.pack(">I", zlib.crc32(name + data))
        content += struct.pack(">I", len(data)) + name + data + check
    return content


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_grey_that_is_clear(bits, tmp_path):
    values = np.random.default_rng(0).integers(0, 2**bits, (9, 13))
    (tmp_path / "in.png").write_bytes(packed(values, bits, int(values[4, 6])))
    arguments = (tmp_path / "in.png", tmp_path / "out.png", "--scale", 1)
    assert samples.call("resize", *arguments, "--kernel", "box") == 0
    made = samples.pixels(tmp_path / "out.png")
    seen = values != values[4, 6]
    assert np.array_equal(made[..., 1], np.where(seen, 255, 0))
    assert np.array_equal(made[seen, 0], values[seen] * (255 // (2**bits - 1)))


def tiff(array: np.ndarray, **options: Any) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, array, metadata=None, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("dtype", "more"),
    [
        (np.uint8, ["unspecified"]),
        (np.uint16, ["unspecified"]),
        (np.uint8, ["unassalpha", "unspecified"]),
    ],
)
def test_channels_that_are_neither_colour_nor_opacity(dtype, more, tmp_path, capsys):
    """They are told, and not taken for opacity."""
    array = samples.with_alpha(3, dtype)
    array = np.concatenate([array, array[..., : len(more) - 1]], 2)
    content = tiff(array, photometric="rgb", extrasamples=more)
    (tmp_path / "in.tif").write_bytes(content)
    arguments = (tmp_path / "in.tif", tmp_path / "out.png", "--scale", 1)
    assert samples.call("resize", *arguments, "--kernel", "box") == 0
    assert "out.png: not kept: 1 more channel" in capsys.readouterr().err
    made = samples.pixels(tmp_path / "out.png")
    kept = array[..., : 2 + len(more)]
    seen = kept[..., 3:].all(2) if len(more) == 2 else np.full(samples.SHAPE, True)
    assert made.shape == kept.shape and np.array_equal(made[seen], kept[seen])


GREY = samples.planes(1)
REFUSED = {
    "signed": (tiff((GREY // 2).astype(np.int8)), "has signed numbers of 8 bits"),
    "floats": (
        tiff(samples.planes(3).astype(np.float32), photometric="rgb"),
        "is a TIFF file of 3 floating-point numbers of 32 bits a pixel, compression 1;",
    ),
    "compression": (
        tiff(GREY, compression="jpeg2000"),
        "of 1 whole numbers of 8 bits a pixel, compression 34712; save it as grey",
    ),
    "volume": (
        tiff(
            np.stack([GREY] * 3),
            photometric="minisblack",
            volumetric=True,
            tile=(1, 16, 16),
        ),
        "is a volume, 3 pixels deep; save a page for each",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_pages_that_would_be_taken_for_others(case, tmp_path, capsys):
    content, words = REFUSED[case]
    (tmp_path / "in.tif").write_bytes(content)
    arguments = (tmp_path / "in.tif", tmp_path / "out.tif", "--scale", 1)
    assert samples.call("resize", *arguments) == 1
    error = capsys.readouterr().err
    assert words in error
    assert not (tmp_path / "out.tif").exists()


def test_a_jpeg_of_12_bits(tmp_path, capsys):
    array = samples.planes(3, np.uint16) // 16
    (tmp_path / "in.jpg").write_bytes(imagecodecs.jpeg8_encode(array, bitspersample=12))
    arguments = (tmp_path / "in.jpg", tmp_path / "out.png", "--scale", 1)
    assert samples.call("resize", *arguments) == 1
    assert "in.jpg is a JPEG file of 12 bits; save it with 8" in capsys.readouterr().err


@pytest.mark.parametrize(("suffix", "kept"), [("webp", False), ("jpg", True)])
def test_a_profile_of_grey(suffix, kept, tmp_path, capsys):
    """WebP has three colours, which it would not be of."""
    profile = b"\0" * 16 + b"GRAY" + b"\0" * 108
    path = tmp_path / "in.png"
    content = samples.KINDS["grey png"][1]
    chunk = (b"iCCP", b"grey\0\0" + zlib.compress(profile))
    path.write_bytes(samples.with_chunks(content, [chunk]))
    assert samples.call("resize", path, tmp_path / f"out.{suffix}", "--scale", 1) == 0
    assert ("not kept: the colour profile" in capsys.readouterr().err) != kept
    with Image.open(tmp_path / f"out.{suffix}") as image:
        assert image.info.get("icc_profile") == (profile if kept else None)
