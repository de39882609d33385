"""Files are put in their places whole; what dead processes left goes."""

import os
import subprocess
import sys

import pytest

from contconv_cli import output
from tests.cli import samples


def partial(folder, process, machine=None, name="a.png"):
    """What a process left that was killed while it wrote a picture of this name."""
    own, _, token = output._partial_name(name).rsplit("-", 2)
    if machine:
        own = own[:-8] + machine
    path = folder / f"{own}-{process}-{token}"
    path.write_text("half")
    return path


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_what_the_dead_left_is_removed(tmp_path, dead):
    left = partial(tmp_path, dead)
    old = partial(tmp_path, 1, "01234567")
    os.utime(old, (0, 0))
    kept = [
        partial(tmp_path, os.getppid()),
        partial(tmp_path, dead, "01234567"),
        partial(tmp_path, dead, name="b.png"),
    ]
    output.clear([tmp_path / "a.png", tmp_path / "none" / "a.png"])
    assert not left.exists() and not old.exists()
    assert all(path.exists() for path in kept)


def test_a_run_that_skips_removes_it_too(tmp_path, dead):
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(samples.KINDS["rgb png"][1])
    left = partial(tmp_path / "out", dead)
    assert samples.call("resize", tmp_path / "in", tmp_path / "out", "--scale", 1) == 0
    assert not left.exists()


def test_interrupted_while_it_writes(tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        output.put(b"content", tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    (tmp_path / "a.png").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        output.PictureError, match=r"a\.png cannot be written: No space"
    ):
        output.put(b"content", tmp_path / "a.png")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_places_are_checked_before_anything_is_made(tmp_path, capsys, monkeypatch):
    (tmp_path / "in.png").write_bytes(samples.KINDS["rgb png"][1])
    target = tmp_path / "new" / "out.png"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    arguments = ("--scale", 2, "--model", "none.safetensors")
    assert samples.call("upscale", tmp_path / "in.png", target, *arguments) == 1
    assert f"out.png cannot be written: {tmp_path} is not" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_who_may_read_it_stays(tmp_path):
    """As of the old file, or else of the one that it was made from."""
    private, public = tmp_path / "private.png", tmp_path / "public.png"
    for path, mode in ((private, 0o600), (public, 0o644)):
        path.write_bytes(samples.KINDS["rgb png"][1])
        path.chmod(mode)
    for source, mode in ((private, 0o600), (public, 0o644)):
        target = tmp_path / f"{mode}.png"
        assert samples.call("resize", source, target, "--scale", 1) == 0
        assert target.stat().st_mode & 0o777 == mode
    target.chmod(0o640)
    assert samples.call("resize", private, target, "--scale", 1, "--force") == 0
    assert target.stat().st_mode & 0o777 == 0o640


def test_names_as_long_as_they_may_be(tmp_path):
    """Two bytes a letter, and not one more."""
    source = tmp_path / "in.png"
    source.write_bytes(samples.KINDS["rgb png"][1])
    longest = tmp_path / f"{'ä' * 125}a.png"
    assert samples.call("resize", source, longest, "--scale", 1) == 0
    assert longest.exists()


def test_a_name_too_long_is_told_before_the_work(tmp_path, capsys, monkeypatch):
    from contconv_cli import resize

    source = tmp_path / f"{'a' * 250}.png"
    source.write_bytes(samples.KINDS["rgb png"][1])
    monkeypatch.setattr(resize.Resizer, "__call__", None)
    assert samples.call("resize", source, "--scale", 1) == 1
    assert "File name too long" in capsys.readouterr().err


def test_links_in_the_way_are_not_followed(tmp_path, monkeypatch):
    """Even where the name of the partial file is known beforehand."""
    monkeypatch.setattr(output.secrets, "token_hex", lambda n: "00" * n)
    victim, link = tmp_path / "victim", tmp_path / output._partial_name("a.png")
    link.symlink_to(victim)
    with pytest.raises(output.PictureError, match=r"a\.png cannot be written"):
        output.put(b"content", tmp_path / "a.png")
    assert not victim.exists() and link.is_symlink()


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_disk_that_is_full_in_the_middle(tmp_path):
    """The system itself stops the writing; nothing is left of it."""
    code = """
import resource, signal, sys
from pathlib import Path
from contconv_cli import output
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    output.put(b"x" * 5000, Path(sys.argv[1]))
except output.PictureError as error:
    print(error)
"""
    path = tmp_path / "a.png"
    run = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"{path} cannot be written: File too large")
    assert list(tmp_path.iterdir()) == []
