"""The command itself: quick help, options in any order, and what is missing."""

import subprocess
import sys

import pytest

from contconv_cli.sizes import joined
from tests.cli import samples


@pytest.mark.parametrize("arguments", [[], ["upscale"], ["resize"]])
def test_help_needs_no_torch(arguments):
    code = """
import sys
for name in ("torch", "numpy", "PIL", "imagecodecs", "tifffile"):
    sys.modules[name] = None
from contconv_cli.commands import main
main(sys.argv[1:])
"""
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "contconv" in run.stdout and "--" in run.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cyclopts", "PIL", "safetensors"])
def test_without_the_extra(name, tmp_path):
    """One line, whenever it is that the package is needed."""
    (tmp_path / "in.png").write_bytes(samples.KINDS["rgb png"][1])
    code = """
import sys
sys.modules[sys.argv[1]] = None
sys.argv[1:] = ["upscale", *sys.argv[2:], "--scale", "2"]
from contconv_cli.__main__ import main
main()
"""
    arguments = [name, tmp_path / "in.png", tmp_path / "out.png"]
    run = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    line = f"contconv: {name} is not installed, which the command needs; install it"
    assert run.stderr.startswith(line) and run.stderr.count("\n") == 1
    assert run.stderr.strip().endswith("pip install 'contconv[cli]'")


def test_version_and_info(capsys):
    assert samples.call("--version") == 0
    assert capsys.readouterr().out.startswith("0.")
    assert samples.call("info", "1x8x16x16", "--scale", "0.7") == 0
    assert "grid    scale 0.7 x 0.7" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a b --scale 2", "a b --scale 2"),
        ("a b --scale 2 3.5", "a b --scale 2_3.5"),
        ("a b --scale 8/3 1.5 --force", "a b --scale 8/3_1.5 --force"),
        ("--scale 2 a b", "--scale 2 a b"),
        ("--scale 2 3 a b", "--scale 2_3 a b"),
        ("--size 640 480 a b", "--size 640_480 a b"),
        ("a --scale=2 3.5", "a --scale=2_3.5"),
        ("a --fit 9 8 -- --scale 2 3", "a --fit 9_8 -- --scale 2 3"),
        ("a b --size 640x480", "a b --size 640x480"),
        ("a b --scale 2 --quality 90", "a b --scale 2 --quality 90"),
        ("a b --scale", "a b --scale"),
    ],
)
def test_two_numbers_of_an_option(given, expected):
    assert joined(given.split()) == [w.replace("_", " ") for w in expected.split()]
