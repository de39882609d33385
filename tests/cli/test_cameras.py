"""Files as cameras and phones write them: previews, damaged ends, odd EXIF data."""

import struct
from io import BytesIO
from typing import Literal

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from tests.cli import samples

TEXT = "© Zoë Müller".encode() + b"\0"


def exif(*entries: tuple[int, int, int, bytes], order: str = "<") -> bytes:
    """EXIF data, written field by field: tag, type, count and bytes of each."""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8)
    table, values = struct.pack(order + "H", len(entries)), b""
    place = 8 + 2 + 12 * len(entries) + 4
    for tag, type_, count, value in entries:
        table += struct.pack(order + "HHL", tag, type_, count)
        if len(value) > 4:
            table += struct.pack(order + "L", place + len(values))
            values += value
        else:
            table += value.ljust(4, b"\0")
    return b"Exif\0\0" + start + table + b"\0" * 4 + values


def saved(path, data: bytes, **options) -> None:
    Image.fromarray(samples.planes(3)).save(path, exif=data, **options)


def stored(path) -> bytes:
    with Image.open(path) as image:
        image.load()
        return image.info["exif"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
@pytest.mark.parametrize("order", "<>")
def test_exif_data_are_kept_byte_for_byte(suffix, order, tmp_path):
    """All but the orientation and the size, which change in place."""
    short, long = order + "H", order + "L"
    entries = [
        (0x0112, 3, 1, struct.pack(short, 6)),
        (0x011A, 2, 3, b"72\0"),  # a resolution in words
        (0x8298, 2, len(TEXT), TEXT),
        (0x9C9B, 1, 6, "Zo\u00eb".encode("utf-16-le")),
        (0xC4A5, 7, 9, b"\xff\0PrintIM"),
    ]
    size = [
        (0x0100, 4, 1, struct.pack(long, 18)),
        (0x0101, 3, 1, struct.pack(short, 24)),
    ]
    before = exif(*size, *entries, order=order)
    source, target = tmp_path / "in.jpg", tmp_path / f"out{suffix}"
    saved(source, before)
    assert samples.call("resize", source, target, "--scale", 2) == 0
    size = [
        (0x0100, 4, 1, struct.pack(long, 48)),
        (0x0101, 4, 1, struct.pack(long, 36)),
    ]
    entries[0] = (0x0112, 3, 1, struct.pack(short, 1))
    after = exif(*size, *entries, order=order).removeprefix(b"Exif\0\0")
    made = stored(target).removeprefix(b"Exif\0\0")
    if suffix == ".avif":  # the orientation stands elsewhere in these
        kept = Image.Exif()
        kept.load(made)
        assert 0x0112 not in kept and kept[0x0100] == 48
        assert TEXT in made and b"\xff\0PrintIM" in made
    else:
        assert made == after


@pytest.mark.parametrize(
    "data",
    [
        exif((0x0112, 2, 2, b"6\0")),
        exif((0x0112, 3, 0, b"")),
        exif((0x8769, 4, 1, b"\xff\xff\xff\x7f")),
        exif((0x8769, 4, 1, b"\x08\0\0\0")),  # its details are itself
        exif((0x9999, 77, 3, b"abc")),
        exif((0x8298, 2, 2**31, b"")),
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0no TIFF structure",
    ],
)
def test_odd_exif_data_are_no_damage(data, tmp_path):
    source, target = tmp_path / "in.jpg", tmp_path / "out.jpg"
    saved(source, data)
    assert samples.call("resize", source, target, "--scale", 1) == 0
    assert imagecodecs.jpeg_decode(target.read_bytes()).shape == (24, 18, 3)
    assert data in target.read_bytes()
    assert samples.call("resize", source, tmp_path / "out.tif", "--scale", 1) == 0
    assert tifffile.imread(tmp_path / "out.tif").shape == (24, 18, 3)


def test_exif_data_too_long_for_jpeg_are_told(tmp_path, capsys):
    data = exif((0x9286, 7, 70000, b"x" * 70000))
    source, target = tmp_path / "in.png", tmp_path / "out.jpg"
    saved(source, data)
    assert samples.call("resize", source, target, "--scale", 2) == 0
    assert "out.jpg: not kept: EXIF of 70026 bytes" in capsys.readouterr().err
    assert "exif" not in samples.opened(target).info


def test_the_thumbnail_of_a_turned_picture_is_unlinked(tmp_path):
    """It would lie on its side; that of an upright one stays."""
    thumbnail = BytesIO()
    Image.new("RGB", (8, 6)).save(thumbnail, "JPEG")
    for orientation in (1, 6):
        first = exif((0x0112, 3, 1, struct.pack("<H", orientation)))
        second = exif((0x0103, 3, 1, b"\x06\0"))[14:]
        data = first[:-4] + struct.pack("<L", len(first) - 6) + second
        source, target = tmp_path / "in.jpg", tmp_path / f"out{orientation}.jpg"
        saved(source, data)
        assert samples.call("resize", source, target, "--scale", 2) == 0
        linked = stored(target)[len(first) - 4 :][:4] != bytes(4)
        assert linked == (orientation == 1)


def test_a_preview_behind_a_picture(tmp_path, capsys):
    """Of a file of several JPEGs, the first is the picture."""
    first, target = Image.fromarray(samples.planes(3)), tmp_path / "out.png"
    source, plain = tmp_path / "in.jpg", tmp_path / "plain.jpg"
    preview = first.resize((9, 12))
    first.save(source, "MPO", save_all=True, append_images=[preview])
    first.save(plain)
    assert samples.call("resize", source, target, "--scale", 1) == 0
    assert "not kept: 1 more image in it" in capsys.readouterr().err
    assert np.array_equal(samples.pixels(target), np.asarray(Image.open(plain)))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart": 3}])
def test_a_jpeg_file_without_its_end(options, tmp_path):
    """With all its pixels it is whole; with one byte less it is not."""
    file, restart = BytesIO(), options.pop("restart", 0)
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(noise).save(file, "JPEG", restart_marker_blocks=restart, **options)
    content = file.getvalue()
    assert content.endswith(b"\xff\xd9")
    source, target = tmp_path / "in.jpg", tmp_path / "out.png"
    for cut in (2, 1):
        source.write_bytes(content[:-cut])
        assert samples.call("resize", source, target, "--scale", 1, "--force") == 0
        made = samples.pixels(target)
        assert np.array_equal(made, np.asarray(Image.open(BytesIO(content))))
    scans = [i for i in range(len(content)) if content[i : i + 2] == b"\xff\xda"]
    cuts = [-4, -20, len(content) * 2 // 3, *scans[1:]]
    for cut in cuts:
        source.write_bytes(content[:cut])
        assert samples.call("resize", source, target, "--scale", 1, "--force") == 1


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_tiff_file_with_a_thumbnail(kind, tmp_path):
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    array = samples.planes(3, kind)
    with tifffile.TiffWriter(source) as writer:
        options = {"photometric": "rgb", "metadata": None}
        writer.write(array[::2, ::2], subfiletype=1, **options)
        writer.write(array, **options)
    assert samples.call("resize", source, target, "--scale", 1) == 0
    with tifffile.TiffFile(target) as file:
        assert len(file.pages) == 1
        assert np.array_equal(file.asarray(), array)


def test_tags_of_a_tiff_file_become_exif_data_and_back(tmp_path):
    """In either order of bytes; a tag that nobody knows is told."""
    orders: list[Literal["<", ">"]] = ["<", ">"]
    for order in orders:
        source, between = tmp_path / "in.tif", tmp_path / "between.jpg"
        tags = [(0x8298, 2, 0, TEXT, True), (0x010F, 2, 0, "Works", True)]
        array = samples.planes(3)
        tifffile.imwrite(
            source,
            array,
            byteorder=order,
            photometric="rgb",
            metadata=None,
            software=False,
            extratags=[*tags, (65000, 3, 1, 7, True)],
        )
        assert samples.call("resize", source, between, "--scale", 1, "--force") == 0
        assert TEXT in stored(between)
        target = tmp_path / "out.tif"
        assert samples.call("resize", between, target, "--scale", 1, "--force") == 0
        with tifffile.TiffFile(target) as file:
            found = file.pages[0].tags  # type: ignore
            raw = target.read_bytes()[found[0x8298].valueoffset :][: len(TEXT)]
            assert raw == TEXT and found[0x010F].value == "Works"


def test_upright_by_xmp_alone(tmp_path):
    """Its orientation counts where EXIF has none, and says upright afterwards."""
    xmp = b'<x:xmpmeta tiff:Orientation="6" exif:PixelXDimension="18"/>'
    source, target = tmp_path / "in.jpg", tmp_path / "out.jpg"
    Image.fromarray(samples.planes(3)).save(source, xmp=xmp)
    with Image.open(source) as image:
        turned = ImageOps.exif_transpose(image)
    assert samples.call("resize", source, target, "--scale", 2) == 0
    made = samples.opened(target)
    assert made.size == (turned.width * 2, turned.height * 2) == (48, 36)
    expected = b'<x:xmpmeta tiff:Orientation="1" exif:PixelXDimension="48"/>'
    assert made.info["xmp"] == expected


def test_a_page_that_is_the_first_in_small(tmp_path):
    """Where there is no place for pages, it is a preview; other pages are not."""
    array = samples.planes(3)
    for other, code in ((array[::2, ::2], 0), (array[::2], 1), (array, 1)):
        source, target = tmp_path / "in.tif", tmp_path / "out.png"
        with tifffile.TiffWriter(source) as writer:
            for page in (array, other):
                writer.write(page, photometric="rgb", metadata=None)
        assert samples.call("resize", source, target, "--scale", 1, "--force") == code
        assert code or np.array_equal(samples.pixels(target), array)


def test_what_the_colours_of_a_media_file_mean(tmp_path, capsys):
    """PQ on wide primaries, as HDR pictures have them: kept as PNG says it, or told."""
    source = tmp_path / "in.avif"
    Image.fromarray(samples.planes(3)).save(source, quality=100)
    content = source.read_bytes()
    place = content.index(b"colrnclx") + 8
    content = content[:place] + struct.pack(">HH", 9, 16) + content[place + 4 :]
    source.write_bytes(content)
    target = tmp_path / "out.png"
    assert samples.call("resize", source, target, "--scale", 1) == 0
    assert (b"cICP", bytes([9, 16, 0, 1])) in samples.chunks(target)
    assert samples.call("resize", source, tmp_path / "out.webp", "--scale", 1) == 0
    assert "not kept: what colours mean (cICP)" in capsys.readouterr().err
