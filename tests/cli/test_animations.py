"""Animations and pages: every frame is made, and takes as long as it took."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.cli import samples

DURATIONS = [100, 200, 50]


def frames(path) -> tuple[list[np.ndarray], list[float], int | None]:
    """Each frame in RGBA, its milliseconds, and how often the file says to repeat."""
    with Image.open(path) as image:
        shown, durations = [], []
        for i in range(image.n_frames):  # type: ignore
            image.seek(i)
            shown.append(np.asarray(image.convert("RGBA")))
            durations.append(image.info.get("duration"))
        return shown, durations, image.info.get("loop")


def drawn() -> list[Image.Image]:
    """A disk that moves over what is clear, each frame with another colour."""
    y, x = np.mgrid[:24, :30]
    pictures = []
    for i in range(3):
        array = np.zeros((24, 30, 4), np.uint8)
        disk = (y - 12) ** 2 + (x - 7 - 8 * i) ** 2 < 36
        array[disk] = (60 * i + 90, 200 - 50 * i, 30, 255)
        pictures.append(Image.fromarray(array))
    return pictures


@pytest.mark.parametrize(("loop", "clear"), [(None, True), (0, False), (3, True)])
@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".avif"])
def test_frame_by_frame(suffix, loop, clear, tmp_path):
    pictures = drawn()
    if not clear:
        white = Image.new("RGBA", (30, 24), "white")
        pictures = [Image.alpha_composite(white, p).convert("RGB") for p in pictures]
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {"disposal": 2}
    options = {"quality": 100, "subsampling": "4:4:4"} if suffix == ".avif" else options
    options |= {} if loop is None else {"loop": loop}
    options |= {"append_images": pictures[1:], "duration": DURATIONS}
    pictures[0].save(source, None, save_all=True, **options)
    arguments = ("--scale", 2, "--kernel", "box", "--quality", 100)
    assert samples.call("resize", source, target, *arguments) == 0
    before, durations, repeats = frames(source)
    shown, made_durations, made_repeats = frames(target)
    assert made_durations == durations and made_repeats == repeats
    assert len(shown) == 3
    for old, new in zip(before, shown, strict=True):
        expected = old.repeat(2, 0).repeat(2, 1).astype(int)
        seen = expected[..., 3:] > 0
        apart = np.abs(new - expected)
        assert apart[..., 3].max() <= (4 if suffix == ".avif" else 0)
        assert (apart * seen).max() <= (16 if suffix == ".avif" else 0)


@pytest.mark.parametrize(
    ("source", "target", "loop", "expected"),
    [
        ("gif", "webp", 2, 3),
        ("gif", "png", None, 1),
        ("webp", "gif", 3, 2),
        ("gif", "webp", 65535, 65535),  # of 65536, which it has no room for
        ("png", "gif", 10**6, 65535),
    ],
)
def test_how_often_it_plays_in_another_format(source, target, loop, expected, tmp_path):
    """GIF files say how often they repeat, the others how often they play."""
    first, *others = (picture.convert("RGB") for picture in drawn())
    loops = {} if loop is None else {"loop": loop}
    path = tmp_path / f"in.{source}"
    first.save(path, save_all=True, append_images=others, duration=100, **loops)
    assert samples.call("resize", path, tmp_path / f"out.{target}", "--scale", 1) == 0
    assert frames(tmp_path / f"out.{target}")[2] == expected


def test_a_still_picture_before_an_animation(tmp_path):
    """It stays what is shown where nothing can move."""
    first, *others = drawn()
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    first.save(
        source, save_all=True, append_images=others, duration=70, default_image=True
    )
    for path in (target, tmp_path / "out.gif"):
        assert samples.call("resize", source, path, "--scale", 2) == 0
    with Image.open(target) as image:
        assert image.info["default_image"] and image.n_frames == 3  # type: ignore
    assert frames(target)[1][1:] == [70, 70]
    assert frames(tmp_path / "out.gif")[1] == [70, 70]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_pages_of_different_sizes(kind, tmp_path):
    pages = [samples.planes(3, kind), samples.planes(1, kind)[:10]]
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    with tifffile.TiffWriter(source) as writer:
        for i, page in enumerate(pages):
            photometric = "rgb" if page.ndim == 3 else "minisblack"
            tags = [(0x011D, 2, 0, f"page {i}", True)]
            writer.write(page, photometric=photometric, metadata=None, extratags=tags)
    assert samples.call("resize", source, target, "--scale", 2, "--kernel", "box") == 0
    with tifffile.TiffFile(target) as file:
        assert len(file.pages) == 2
        for i, (page, made) in enumerate(zip(pages, file.pages, strict=True)):
            assert np.array_equal(made.asarray(), page.repeat(2, 0).repeat(2, 1))
            assert made.tags[0x011D].value == f"page {i}"  # type: ignore


def test_frames_count_together(tmp_path, capsys):
    first, *others = drawn()
    first.save(tmp_path / "in.gif", save_all=True, append_images=others)
    options = ("--scale", 1, "--max-pixels", 3 * 24 * 30 - 1)
    arguments = (tmp_path / "in.gif", tmp_path / "out.gif", *options)
    assert samples.call("resize", *arguments) == 1
    assert "has 3 frames of 30 x 24 pixels, more than" in capsys.readouterr().err
