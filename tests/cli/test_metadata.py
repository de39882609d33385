"""Metadata of pictures is kept; they come out upright."""

from pathlib import Path

import numpy as np
import pytest
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
@pytest.mark.parametrize("command", ["upscale", "resize"])
def test_profile_exif_and_density_are_kept(suffix, command, tmp_path):
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    Image.fromarray(samples.planes(3)).save(
        source, icc_profile=PROFILE, exif=described().tobytes(), dpi=(300, 150)
    )
    assert samples.call(command, source, target, "--scale", 1.5) == 0
    made = samples.opened(target)
    assert made.size == (27, 36)
    assert made.info["icc_profile"] == PROFILE
    exif = made.getexif()
    assert exif[0x010F] == "Camera works"
    assert float(exif.get_ifd(0x8769)[0x829A]) == pytest.approx(1 / 250)
    assert exif.get_ifd(0x8769)[0xA002] == 27
    if suffix != ".webp":
        assert made.info["dpi"] == pytest.approx((300, 150), abs=0.1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pictures_come_out_upright(orientation, suffix, tmp_path):
    """As Pillow turns them; what is wanted is width and height of what one sees."""
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    exif = described(orientation).tobytes()
    Image.fromarray(samples.planes(3)).save(source, exif=exif)
    upright = _upright(orientation, tmp_path / "known.png")
    width, height = upright.size
    assert samples.call("resize", source, target, "--size", width, height) == 0
    made = samples.opened(target)
    assert np.array_equal(np.asarray(made), np.asarray(upright))
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
    import tifffile

    array, source = samples.planes(3, np.uint16), tmp_path / "in.tif"
    tags = [(0x0112, 3, 1, orientation, True)]
    tifffile.imwrite(source, array, photometric="rgb", metadata=None, extratags=tags)
    turned = {1: array, 3: array[::-1, ::-1], 6: np.rot90(array, -1)}[orientation]
    height, width = turned.shape[:2]
    target = tmp_path / "out.tif"
    assert samples.call("resize", source, target, "--size", width, height) == 0
    assert np.array_equal(samples.pixels(target), turned)


def test_tiff_of_16_bits(tmp_path):
    import tifffile

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
