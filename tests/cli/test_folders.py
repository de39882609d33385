"""Folders: mirrored, shared out, done once; nothing half-written is left."""

import os
import signal
import subprocess
import sys

import pytest
from PIL import Image

from tests.cli import samples

NAMES = ["a.png", "b.jpg", "deep/c.webp", "deep/er/d.tif"]


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(samples.planes(3)).save(path)
    return tmp_path


def made(folder):
    out = folder / "out"
    return sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())


def test_the_tree_is_mirrored_and_done_once(folder, capsys):
    arguments = ("resize", folder / "in", folder / "out", "--scale", 2)
    assert samples.call(*arguments) == 0
    assert made(folder) == NAMES
    assert all(samples.opened(folder / "out" / n).size == (36, 48) for n in NAMES)
    assert "4 made, 0 skipped, 0 failed" in capsys.readouterr().err
    (folder / "out" / NAMES[1]).unlink()
    times = {n: (folder / "out" / n).stat().st_mtime_ns for n in made(folder)}
    assert samples.call(*arguments) == 0
    assert "1 made, 3 skipped, 0 failed" in capsys.readouterr().err
    assert all((folder / "out" / n).stat().st_mtime_ns == t for n, t in times.items())
    assert samples.call(*arguments, "--force") == 0
    assert "4 made, 0 skipped" in capsys.readouterr().err


def test_a_target_inside_the_source_is_not_a_source(folder):
    arguments = ("resize", folder / "in", folder / "in" / "small", "--scale", 0.5)
    assert samples.call(*arguments) == samples.call(*arguments) == 0
    assert not (folder / "in" / "small" / "small").exists()


def test_one_bad_picture_does_not_stop_the_rest(folder, capsys):
    (folder / "in" / "bad.png").write_text("no picture")
    assert samples.call("resize", folder / "in", folder / "out", "--scale", 2) == 1
    error = capsys.readouterr().err
    assert "bad.png is no picture" in error and "4 made, 0 skipped, 1 failed" in error
    assert made(folder) == NAMES


@pytest.mark.parametrize("count", [2, 3])
def test_processes_share_the_pictures(folder, count, monkeypatch, capsys):
    seen = []
    monkeypatch.setenv("WORLD_SIZE", str(count))
    for rank in range(count):
        before = made(folder)
        monkeypatch.setenv("RANK", str(rank))
        assert samples.call("resize", folder / "in", folder / "out", "--scale", 2) == 0
        seen.append(len(made(folder)) - len(before))
        assert f"process {rank}: " in capsys.readouterr().err
    assert made(folder) == NAMES
    assert sum(seen) == 4 and max(seen) - min(seen) <= 1


def test_a_file_into_a_folder(folder):
    (folder / "out").mkdir()
    source = folder / "in" / "a.png"
    assert samples.call("resize", source, folder / "out", "--scale", 2) == 0
    assert made(folder) == ["a.png"]


@pytest.mark.slow
def test_killed_while_it_writes(folder):
    """Nothing stands under the name; the next run leaves nothing else."""
    code = """
import os, sys
import contconv_cli.run
def fsync(descriptor):
    print("writing", flush=True)
    import signal; signal.pause()
os.fsync = fsync
from contconv_cli.commands import main
main(sys.argv[1:])
"""
    arguments = ["resize", folder / "in", folder / "out", "--scale", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    left = made(folder)
    assert len(left) == 1 and left[0].endswith(".partial")
    assert samples.call(*arguments) == 0
    assert made(folder) == NAMES


@pytest.mark.slow
def test_stopped_by_ctrl_c(folder):
    # Processes in the background of a shell begin with the signal ignored.
    code = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from contconv_cli.commands import main
from contconv_cli import run
def read(*arguments):
    print("reading", flush=True)
    signal.pause()
run.read = read
main(sys.argv[1:])
"""
    arguments = ["resize", folder / "in", folder / "out", "--scale", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130
    assert error.strip() == "contconv: stopped; what was made is whole"


@pytest.mark.slow
@pytest.mark.parametrize("bad", [False, True])
def test_torchrun(folder, bad):
    """The files of a folder, by the launcher itself, which ends all when one failed.

    The process of the bad picture needs no torch for it, and is done before the other.
    """
    if bad:
        (folder / "in" / "a.png").write_text("no picture")
        for name in NAMES[2:]:
            (folder / "in" / name).unlink()
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, "-m", *launcher, "-m", "contconv_cli", "resize"]
    run = subprocess.run(
        [*command, str(folder / "in"), str(folder / "out"), "--scale", "2"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert (run.returncode != 0) == bad, run.stderr
    counts = ["0 made, 0 skipped, 1 failed", "1 made"] if bad else ["2 made", "2 made"]
    for rank, count in enumerate(counts):
        assert f"process {rank}: {count}" in run.stderr
    assert made(folder) == (NAMES[1:2] if bad else NAMES)
