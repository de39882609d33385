"""Metadata of pictures is kept; they come out upright."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps
from PIL.TiffImagePlugin import IFDRational

from tests.cli import samples

BESIDE = (b"iCCP", b"eXIf", b"pHYs")
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def described(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Camera works"
    exposure, width = 0x829A, 0xA002
    exif[0x8769] = {exposure: IFDRational(1, 250), width: 18}
    return exif


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_profile_exif_and_density_are_kept(suffix, tmp_path):
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    Image.fromarray(samples.planes(3)).save(
        source, icc_profile=PROFILE, exif=described().tobytes(), dpi=(300, 150)
    )
    assert samples.call("resize", source, target, "--scale", 1.5) == 0
    made = samples.opened(target)
    assert made.size == (27, 36)
    assert made.info["icc_profile"] == PROFILE
    exif = made.getexif()
    assert exif[0x010F] == "Camera works"
    assert float(exif.get_ifd(0x8769)[0x829A]) == pytest.approx(1 / 250)
    assert exif.get_ifd(0x8769)[0xA002] == 27
    if suffix != ".webp":
        assert made.info["dpi"] == pytest.approx((300, 150), abs=0.1)


@pytest.mark.parametrize(
    ("orientation", "suffix"),
    [*((i, ".png") for i in range(1, 9)), (6, ".tif"), (7, ".avif"), (6, ".heic")],
)
def test_pictures_come_out_upright(orientation, suffix, tmp_path):
    """As Pillow turns them; what is wanted is width and height of what one sees."""
    if suffix == ".heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    exif = described(orientation).tobytes()
    lossy = {"quality": 100} if suffix in (".avif", ".heic") else {}
    Image.fromarray(samples.planes(3)).save(source, None, exif=exif, **lossy)
    upright = _upright(orientation, tmp_path / "known.png")
    width, height = upright.size
    assert samples.call("resize", source, target, "--size", width, height) == 0
    made = samples.opened(target)
    apart = np.abs(np.asarray(made).astype(int) - np.asarray(upright))
    assert np.median(apart) <= (8 if lossy else 0) and (lossy or apart.max() == 0)
    assert made.getexif().get(0x0112, 1) == 1


def _upright(orientation: int, path: Path) -> Image.Image:
    Image.fromarray(samples.planes(3)).save(path, exif=described(orientation).tobytes())
    turned = ImageOps.exif_transpose(samples.opened(path))
    assert turned is not None
    return turned


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_density_turns_with_the_picture(suffix, tmp_path):
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    image = Image.fromarray(samples.planes(3))
    image.save(source, exif=described(6).tobytes(), dpi=(300, 150))
    assert samples.call("resize", source, target, "--scale", 2) == 0
    assert samples.opened(target).info["dpi"] == pytest.approx((150, 300), abs=0.1)


def test_nested_exif_is_kept(tmp_path):
    """The interoperability data lie in the details, and neither in the place."""
    details, place, interoperability = 0x8769, 0x8825, 0xA005
    exif = described()
    exif[details] = {0x829A: 0.5, interoperability: {1: "R98"}}
    exif[place] = {1: "N"}
    source, target = tmp_path / "in.jpg", tmp_path / "out.jpg"
    Image.fromarray(samples.planes(3)).save(source, exif=exif.tobytes())
    assert samples.call("resize", source, target, "--scale", 2) == 0
    with Image.open(target) as image:
        made = image.getexif()
        assert made.get_ifd(interoperability) == {1: "R98"}
        assert made.get_ifd(place) == {1: "N"}


@pytest.mark.parametrize("kind", ["16-bit rgb png", "16-bit grey png"])
def test_png_of_16_bits(kind, tmp_path):
    """Its chunks are those that Pillow writes into a file of 8 bits."""
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    Image.fromarray(samples.planes(3)).save(
        source, icc_profile=PROFILE, exif=described().tobytes(), dpi=(300, 150)
    )
    chunks = [chunk for chunk in samples.chunks(source) if chunk[0] in BESIDE]
    assert len(chunks) == len(BESIDE)
    source.write_bytes(samples.with_chunks(samples.KINDS[kind][1], chunks))
    assert samples.call("resize", source, target, "--scale", 2) == 0
    made = samples.opened(target)
    assert samples.pixels(target).dtype == np.uint16
    assert made.info["icc_profile"] == PROFILE
    assert made.info["dpi"] == pytest.approx((300, 150), abs=0.1)
    assert made.getexif()[0x010F] == "Camera works"


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_tiff_of_16_bits_comes_out_upright(orientation, tmp_path):
    array, source = samples.planes(3, np.uint16), tmp_path / "in.tif"
    tags = [(0x0112, 3, 1, orientation, True)]
    tifffile.imwrite(source, array, photometric="rgb", metadata=None, extratags=tags)
    turned = {1: array, 3: array[::-1, ::-1], 6: np.rot90(array, -1)}[orientation]
    height, width = turned.shape[:2]
    target = tmp_path / "out.tif"
    assert samples.call("resize", source, target, "--size", width, height) == 0
    assert np.array_equal(samples.pixels(target), turned)


def test_tiff_of_16_bits(tmp_path):
    source = tmp_path / "in.tif"
    tifffile.imwrite(
        source,
        samples.planes(3, np.uint16),
        photometric="rgb",
        iccprofile=PROFILE,
        resolution=(300, 150),
        resolutionunit="INCH",
        metadata=None,
        software=False,
        extratags=[(0x010F, 2, 0, "Camera works", True)],
    )
    assert samples.call("upscale", source, tmp_path / "out.tif", "--scale", 2) == 0
    made = samples.opened(tmp_path / "out.tif")
    assert made.info["icc_profile"] == PROFILE
    assert made.info["dpi"] == pytest.approx((300, 150))
    assert made.tag_v2[0x010F] == "Camera works"  # type: ignore


def test_16_bits_become_8_with_a_word(tmp_path, capsys):
    suffix, content, *_ = samples.KINDS["16-bit rgb png"]
    (tmp_path / f"in{suffix}").write_bytes(content)
    target = tmp_path / "out.webp"
    arguments = ("--size", 18, 24, "--quality", 100)
    assert samples.call("resize", tmp_path / "in.png", target, *arguments) == 0
    assert "8 of the 16 bits are kept" in capsys.readouterr().err
    expected = (samples.planes(3, np.uint16) / 257).round()
    assert np.abs(samples.pixels(target) - expected).max() <= 1


COLOURS = [
    (b"cICP", bytes([9, 16, 0, 1])),
    (b"mDCV", bytes(24)),
    (b"cLLI", bytes(8)),
    (b"gAMA", struct.pack(">I", 100000)),
    (b"cHRM", struct.pack(">8I", *range(30000, 30008))),
    (b"sRGB", b"\0"),
]
TEXTS = [
    (b"tEXt", "Author\0Zoë".encode("latin-1")),
    (b"zTXt", b"Title\0\0" + zlib.compress(b"On " * 99)),
    (b"iTXt", b"Comment\0\0\0de\0Kommentar\0" + "Grüße".encode()),
]


@pytest.mark.parametrize("kind", ["rgb png", "16-bit rgba png", "palette png"])
def test_chunks_of_png_files_are_kept(kind, tmp_path):
    """What colours mean, and texts; what the format calls unsafe goes."""
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    safe, unsafe = (b"prVt", b"copied"), (b"prVT", b"of the old pixels")
    xmp = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>")
    chunks = [*COLOURS, *TEXTS, xmp, safe, unsafe, (b"tIME", bytes(7))]
    source.write_bytes(samples.with_chunks(samples.KINDS[kind][1], chunks))
    assert samples.call("resize", source, target, "--scale", 2) == 0
    made = samples.chunks(target)
    assert all(chunk in made for chunk in (*COLOURS, *TEXTS, xmp, safe))
    assert not {b"prVT", b"tIME"} & {name for name, _ in made}
    assert all(made.count(chunk) == 1 for chunk in made)


def test_a_damaged_text_is_no_damaged_picture(tmp_path, capsys):
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    chunks = [(b"zTXt", b"a\0\0broken"), (b"iCCP", b"p\0\0broken"), (b"eXIf", b"no")]
    content = samples.with_chunks(samples.KINDS["rgb png"][1], [*chunks, COLOURS[3]])
    place = content.index(b"gAMA") + 8
    content = content[:place] + b"\0\0\0\0" + content[place + 4 :]  # its checksum
    source.write_bytes(content)
    assert samples.call("resize", source, target, "--scale", 1) == 0
    assert np.array_equal(samples.pixels(target), samples.pixels(source))
    assert "not kept: a damaged colour profile" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("suffix", "lost"),
    [
        (".jpg", ["what colours mean (cICP, mDCV, cLLI)", "texts (Author, Comment"]),
        (".bmp", ["the colour profile", "EXIF data", "XMP", "texts"]),
        (".gif", ["the colour profile", "EXIF data", "XMP"]),
    ],
)
def test_what_a_format_does_not_hold_is_told(suffix, lost, tmp_path, capsys):
    source, target = tmp_path / "in.png", tmp_path / f"out{suffix}"
    Image.fromarray(samples.planes(3)).save(
        source, icc_profile=PROFILE, exif=described().tobytes()
    )
    xmp = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>")
    chunks = [*COLOURS[:-1], *TEXTS, xmp]
    source.write_bytes(samples.with_chunks(source.read_bytes(), chunks))
    assert samples.call("resize", source, target, "--scale", 2) == 0
    error = capsys.readouterr().err
    assert f"out{suffix}: not kept: " in error and all(words in error for words in lost)


def test_what_stands_in_a_jpeg_file(tmp_path):
    """Comments, XMP in several segments, Photoshop's blocks with IPTC."""
    from contconv_cli.pictures.jpeg import split

    iptc = b"\x1c\x02\x78\x00\x05Caf\xe9!"
    block = b"8BIM\x04\x04\0\0" + struct.pack(">L", len(iptc)) + iptc
    block += b"\0" * (len(iptc) % 2) + b"8BIM\x04\x0a\x03abc\0\0\0\x01\x01\0"
    more = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + b"part"
    segments = [
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        (0xE1, more),
        (0xED, b"Photoshop 3.0\0" + block),
        (0xFE, "eins äöü".encode()),
        (0xFE, b"two \xff\xd9 \xff\xda"),
    ]
    raw = b"".join(
        bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data
        for marker, data in segments
    )
    content = samples.KINDS["rgb jpeg"][1]
    source, target = tmp_path / "in.jpg", tmp_path / "out.jpg"
    source.write_bytes(content[:2] + raw + content[2:])
    assert samples.call("resize", source, target, "--scale", 2) == 0
    made = target.read_bytes()
    assert raw in made and samples.opened(target).size == (36, 48)
    assert split(made)[0] != made
    assert samples.call("resize", target, tmp_path / "out.tif", "--scale", 1) == 0
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        tags = file.pages[0].tags  # type: ignore
        assert tags[33723].value == iptc and tags[34377].value == block
    back = tmp_path / "back.jpg"
    assert samples.call("resize", tmp_path / "out.tif", back, "--scale", 1) == 0
    assert block in back.read_bytes()


@pytest.mark.parametrize("suffix", [".bmp", ".avif", ".heic", ".gif"])
def test_more_formats(suffix, tmp_path):
    """Whatever is written is read again, with the colours that it had."""
    if suffix == ".heic":
        pytest.importorskip("pillow_heif")
    array = np.repeat(np.repeat([[[200, 40, 90]], [[20, 140, 60]]], 16, 0), 24, 1)
    source = tmp_path / "in.png"
    Image.fromarray(array.astype(np.uint8)).save(source, icc_profile=PROFILE)
    middle, target = tmp_path / f"middle{suffix}", tmp_path / "out.png"
    assert samples.call("resize", source, middle, "--scale", 2, "--quality", 100) == 0
    assert samples.call("resize", middle, target, "--scale", 1) == 0
    made = samples.pixels(target)[..., :3].astype(int)
    apart = np.abs(made - array.repeat(2, 0).repeat(2, 1))
    assert made.shape == (64, 48, 3) and np.median(apart) <= 2
    if suffix in (".avif", ".heic"):
        assert samples.opened(target).info["icc_profile"] == PROFILE


def test_without_heif_the_extra_is_named(tmp_path, monkeypatch, capsys):
    from contconv_cli.pictures import formats

    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    source = tmp_path / "in.heic"
    source.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    assert samples.call("resize", source, tmp_path / "out.png", "--scale", 2) == 1
    assert "pip install 'contconv[heif]'" in capsys.readouterr().err
    source = tmp_path / "in.png"
    source.write_bytes(samples.KINDS["rgb png"][1])
    assert samples.call("resize", source, tmp_path / "out.heic", "--scale", 2) == 1
    assert "out.heic is a HEIC picture" in capsys.readouterr().err
