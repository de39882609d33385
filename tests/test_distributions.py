"""The source distribution holds what the wheel is made of, and the wheel what runs."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="hatchling NOT TRIED: it is not installed")

ROOT = Path(__file__).parents[1]


def build(kind: str, root: Path, folder: Path) -> Path:
    """The distribution that hatchling, offline, makes of a folder."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder]
    subprocess.run(command, cwd=root, capture_output=True, check=True)
    (made,) = folder.iterdir()
    return made


def test_a_wheel_of_the_source_distribution(tmp_path):
    """All that stands in `src`; and no tests, whose helpers and data are not there."""
    source = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / source.name.removesuffix(".tar.gz")
    assert {path.name for path in unpacked.iterdir()} == {
        *("src", "README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE"),
        *("PKG-INFO", "pyproject.toml", ".gitignore"),
    }
    with zipfile.ZipFile(build("wheel", unpacked, tmp_path / "wheel")) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = (path for path in (ROOT / "src").rglob("*") if path.is_file())
    names = (path.relative_to(ROOT / "src").as_posix() for path in files)
    assert held == {n for n in names if "__pycache__" not in n and ".egg-info" not in n}
