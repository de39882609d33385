"""Where pictures come from and go to: several, beside themselves, pipes, odd names."""

import os
import re
import sys
from io import BytesIO, TextIOWrapper

import pytest
from PIL import Image

from contconv_cli import output
from tests.cli import samples


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with pictures of 18 x 24 pixels, in which the command is called."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.jpg", "photos/c.webp", "photos/deep/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(samples.planes(3)).save(name)
    return tmp_path


def names(folder) -> list[str]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return sorted(p.relative_to(folder).as_posix() for p in files)


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (("a.png", "--scale", "1/2"), ["a_0.5x.png"]),
        (("a.png", "--width", 9), ["a_9w.png"]),
        (("a.png", "--scale", 1, "--format", "webp"), ["a_1x.webp"]),
        (("photos", "--scale", "1x"), ["photos_1x/c.webp", "photos_1x/deep/d.png"]),
        (("a.png", "-o", "x.jpg", "--scale", 1), ["x.jpg"]),
        (("a.png", "-o", "new", "--scale", 1), ["new/a.png"]),
        (("a.png", "new/", "--scale", 1), ["new/a.png"]),
        (("a.png", "b.jpg", "-o", "new", "--scale", 1), ["new/a.png", "new/b.jpg"]),
        (("a.png", "b.jpg", "photos", "--scale", 1), ["photos/a.png", "photos/b.jpg"]),
        (
            ("a.png", "photos", "--output", "new", "--scale", 1, "--format", "png"),
            ["new/a.png", "new/photos/c.png", "new/photos/deep/d.png"],
        ),
        (("--source", "a.png", "--target", "y.png", "--scale", 1), ["y.png"]),
        (("--scale", 1, "--", "a.png", "-y.png"), ["-y.png"]),
    ],
)
def test_where_pictures_go(here, arguments, made):
    before = names(here)
    assert samples.call("resize", *arguments) == 0
    assert sorted(set(names(here)) - set(before)) == made


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.png", "photos/a.png", "-o", "x"), "a.png and photos/a.png would both"),
        (("a.png", "b.jpg", "-o", "."), "a.png is one of the pictures itself"),
        (("a.png", "b.jpg", "-o", "x.txt"), "2 pictures go to a folder, but x.txt is"),
        (("-", "a.png", "-o", "x"), "- stands for one picture"),
        (("photos", "-"), "photos is a folder; - takes one picture"),
        (("-", "photos"), "photos is a folder; say which file"),
    ],
)
def test_nowhere_to_go(here, arguments, message, capsys):
    (here / "x.txt").write_text("")
    Image.fromarray(samples.planes(3)).save("photos/a.png")
    before = names(here)
    assert samples.call("resize", *arguments, "--scale", 1) in (1, 2)
    assert message in capsys.readouterr().err
    assert names(here) == before


def stream(content: bytes) -> TextIOWrapper:
    return TextIOWrapper(BytesIO(content))


def test_pipes(here, monkeypatch, capsys):
    """Bytes in, bytes out, in the format that came in; messages go elsewhere."""
    monkeypatch.setattr(sys, "stdin", stream((here / "b.jpg").read_bytes()))
    out = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(out))
    assert samples.call("resize", "-", "--scale", 2) == 0
    assert "1 made" in capsys.readouterr().err
    with Image.open(out) as image:
        assert (image.format, image.size) == ("JPEG", (36, 48))
    monkeypatch.setattr(sys, "stdin", stream(b"no picture"))
    assert samples.call("resize", "-", "x.png", "--scale", 2) == 1
    assert "standard input is no picture" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", stream((here / "b.jpg").read_bytes()))
    assert samples.call("resize", "-", "x.png", "--scale", 2) == 0
    assert samples.opened(here / "x.png").size == (36, 48)


def test_a_pipe_that_is_closed(here, monkeypatch, capsys):
    """As by head: no traceback, and the exit code of the signal."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert samples.call("resize", "a.png", "-", "--scale", 2) == 141
    assert capsys.readouterr().err == ""


ODD = [
    "[draft] x",
    "two  spaces",
    "a\nb",
    "[/b]",
    "[link=x]y",
    ":smile:",
    "[red",
    "a\x1b[31mb",
    "ü\u202e",
]


@pytest.mark.parametrize("name", ODD)
def test_names_are_never_markup(here, name, capsys):
    """They come out as they are, but for what a terminal would obey."""
    source = here / "in" / f"{name}.png"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"no picture")
    Image.new("RGB", (4, 4)).save("in/z.png")
    assert samples.call("resize", "in", "out", "--scale", 1) == 1
    error = capsys.readouterr().err
    shown = name.encode("ascii", "backslashreplace").decode().replace(r"\xfc", "ü")
    shown = shown.replace("\x1b", r"\x1b").replace("\n", r"\n")
    assert f"in/{shown}.png is no picture" in error
    assert names(here / "out") == ["z.png"]
    assert samples.call("resize", f"in/{name}.png", f"{name}.psd", "--scale", 1) == 1
    assert f"{shown}.psd has the suffix" in capsys.readouterr().err


def test_one_of_several_does_not_stop_the_rest(here, capsys):
    (here / "notes.txt").write_text("")
    arguments = ("a.png", "none.png", "notes.txt", "b.jpg", "-o", "out")
    assert samples.call("resize", *arguments, "--scale", 1) == 1
    error = capsys.readouterr().err
    assert "none.png does not exist" in error and "2 made, 0 skipped, 2 failed" in error
    assert "notes.txt is no picture by its name" in error
    assert names(here / "out") == ["a.png", "b.jpg"]


def test_other_files_are_told(here, capsys):
    folder = here / "photos"
    for name in ("notes.txt", "raw.cr2", ".hidden.jpg", ".hidden"):
        (folder / name).write_text("")
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "a.png").write_bytes((here / "a.png").read_bytes())
    (folder / "link").symlink_to(here)
    (folder / "gone.png").symlink_to(here / "none.png")
    assert samples.call("resize", folder, "out", "--scale", 1) == 1
    error = capsys.readouterr().err
    (told,) = re.findall(r"5 other files \((.*?)\)", error)
    others = {".hidden.jpg", ".thumbnails", "link", "notes.txt", "raw.cr2"}
    assert set(told.split(", ")) == others
    assert not (here / "out" / ".thumbnails").exists()
    assert "gone.png cannot be read: No such file" in error
    (here / "texts").mkdir()
    (here / "texts" / "a.txt").write_text("")
    assert samples.call("resize", "texts", "out2", "--scale", 1) == 1
    assert "texts holds no pictures" in capsys.readouterr().err


@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "2", "WORLD_SIZE": "2"},
        {"RANK": "-1", "WORLD_SIZE": "2"},
        {"RANK": "0", "WORLD_SIZE": "0"},
        {"RANK": "one", "WORLD_SIZE": "2"},
        {"WORLD_SIZE": "2"},
        {"RANK": "0"},
        {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "x"},
    ],
)
def test_an_environment_that_makes_no_sense(here, environment, monkeypatch, capsys):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert samples.call("resize", "a.png", "x.png", "--scale", 1) == 2
    error = capsys.readouterr().err
    assert "RANK must be a whole number" in error and not (here / "x.png").exists()


def test_another_size_asks_for_force(here, capsys):
    """What is there already is not what this run would make: nothing is done."""
    assert samples.call("resize", "photos", "out", "--scale", 1) == 0
    assert samples.call("resize", "photos", "out", "--scale", 1) == 0
    assert "0 made, 2 skipped, 0 failed" in capsys.readouterr().err
    assert samples.call("resize", "photos", "out", "--scale", 2) == 1
    error = capsys.readouterr().err
    expected = "c.webp exists already with 18 x 24 pixels, not 36 x 48; --force makes"
    assert expected in error and "0 made, 0 skipped, 2 failed" in error
    assert samples.call("resize", "photos", "out", "--scale", 2, "--force") == 0


def test_links_that_lead_to_themselves(here, capsys):
    """They are told, and stop nothing."""
    (here / "photos" / "loop.png").symlink_to("loop.png")
    (here / "photos" / "one").symlink_to("two")
    (here / "photos" / "two").symlink_to("one")
    assert samples.call("resize", "photos/loop.png", "x.png", "--scale", 1) == 1
    assert "loop.png cannot be read: Too many" in capsys.readouterr().err
    assert samples.call("resize", "photos", "out", "--scale", 1) == 1
    error = capsys.readouterr().err
    assert (
        "2 made, 0 skipped, 1 failed" in error and "2 other files (one, two)" in error
    )


def test_a_name_of_several_that_is_too_long(here, capsys):
    arguments = ("a.png", "n" * 300 + ".png", "b.jpg", "-o", "out")
    assert samples.call("resize", *arguments, "--scale", 1) == 1
    error = capsys.readouterr().err
    assert "File name too long" in error and "2 made, 0 skipped, 1 failed" in error


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_what_is_no_file(here, capsys):
    """A pipe keeps its name, and who may read it says nothing of pictures."""
    os.mkfifo("x.png")
    assert samples.call("resize", "a.png", "x.png", "--scale", 1, "--force") == 1
    assert "x.png cannot be written: it is no file" in capsys.readouterr().err
    assert (here / "x.png").is_fifo()
    output.put(b"content", here / "y.png", here / "x.png")
    assert (here / "y.png").stat().st_mode & 0o777 == 0o666 & ~output._umask()


class Full(TextIOWrapper):
    """A stream that cannot be written to."""

    def __init__(self) -> None:
        super().__init__(BytesIO())

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("stream", [None, Full()], ids=["closed", "full"])
def test_messages_that_nobody_hears(here, stream, monkeypatch):
    """What is told never goes to the picture, nor stops the work."""
    monkeypatch.setattr(sys, "stderr", stream)
    out = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(out))
    assert samples.call("resize", "a.png", "-", "--scale", 2) == 0
    assert out.getvalue().endswith(b"IEND\xaeB`\x82")
    (here / "photos" / "bad.png").write_text("no picture")
    assert samples.call("resize", "photos", "out", "--scale", 2) == 1
    assert names(here / "out") == ["c.webp", "deep/d.png"]
    assert samples.call("resize", "none.png", "--scale", 2) == 1
    assert out.getvalue().endswith(b"IEND\xaeB`\x82")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["info"]])
def test_help_that_goes_nowhere(arguments, monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert samples.call(*arguments) == 1
    error = capsys.readouterr().err
    assert (
        error
        == "contconv: standard output cannot be written: " + os.strerror(28) + "\n"
    )


def test_a_process_that_has_nothing_to_do_says_so(here, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert samples.call("resize", "a.png", "x.png", "--scale", 1) == 0
    assert "process 1: 0 made, 0 skipped, 0 failed" in capsys.readouterr().err
