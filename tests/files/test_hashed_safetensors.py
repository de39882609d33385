"""A sealed file is what was written, or is refused; it is never half-written."""

import hashlib
import json
import os
import pickle
import resource
import secrets
import stat
import struct
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from contconv._files import hashed_safetensors
from contconv._files.hashed_safetensors import DamagedError
from contconv._files.whole import write_whole


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "file.safetensors"


def tensors(value: float = 1.0) -> dict[str, torch.Tensor]:
    return {
        "weight": torch.full((3, 5), value),
        "transposed": torch.arange(12).view(3, 4).T,
        "half": torch.tensor([1.5, -2], dtype=torch.bfloat16),
        "scalar": torch.tensor(3.0, dtype=torch.float64),
        "flag": torch.tensor([True, False]),
    }


def test_what_is_written_is_read(path):
    shared = torch.ones(2)
    given = {**tensors(), "one": shared, "same": shared}
    notes = {"text": 'ü "quoted"', "list": [1, None, {"a": 0.1}]}
    hashed_safetensors.write(path, given, notes)
    read, read_notes = hashed_safetensors.read(path)
    assert read_notes == notes
    assert read.keys() == given.keys()
    for name, tensor in given.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


def test_flipped_bits_are_seen_everywhere(path):
    hashed_safetensors.write(path, {"weight": torch.ones(3)}, {"a": 1})
    content = path.read_bytes()
    for place in range(len(content)):
        for bit in (place % 8, (place + 3) % 8):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            with pytest.raises(DamagedError):
                hashed_safetensors.read(path)


def test_every_truncation_is_seen(path):
    hashed_safetensors.write(path, {"weight": torch.ones(3)}, {})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DamagedError):
            hashed_safetensors.read(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(DamagedError):
        hashed_safetensors.read(path)


@pytest.mark.parametrize("kind", ["pickle", "torch", "old torch"])
def test_pickles_are_not_loaded(path, kind):
    path.parent.mkdir()
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"weight": [1.0]}))
    else:
        zipped = kind == "torch"
        torch.save(tensors(), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(DamagedError, match="looks like a pickle, as torch"):
        hashed_safetensors.read(path)


def test_other_safetensors(path):
    path.parent.mkdir()
    save_file(tensors() | {"transposed": torch.ones(2)}, path)
    with pytest.raises(DamagedError, match="is no sealed safetensors file"):
        hashed_safetensors.read(path)


@pytest.mark.parametrize("text", ["0" * 64, '"sha256"', '"'])
def test_the_digest_has_its_own_place(path, text):
    """As others compute it: over all bytes, with zeros where it stands itself."""
    hashed_safetensors.write(path, {"0" * 64: torch.ones(3)}, {"text": text})
    assert hashed_safetensors.read(path)[1] == {"text": text}
    with safe_open(path, "pt") as file:
        digest = file.metadata()["sha256"].encode()
    blank = path.read_bytes().replace(digest, b"0" * 64)
    assert hashlib.sha256(blank).hexdigest().encode() == digest


def by_hand(path: Path, notes: object) -> None:
    """A sealed file whose notes may be anything."""
    texts = {"notes": notes, "sha256": "0" * 64}
    header = json.dumps({"__metadata__": texts}).encode()
    content = struct.pack("<Q", len(header)) + header
    digest = hashlib.sha256(content).hexdigest().encode()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.replace(b"0" * 64, digest))


@pytest.mark.parametrize("notes", [5, "", "[1]", "3", "[" * 10**5, '{"a":' * 10**5])
def test_strange_notes(path, notes):
    by_hand(path, "{}")
    assert hashed_safetensors.read(path) == ({}, {})
    by_hand(path, notes)
    with pytest.raises(DamagedError):
        hashed_safetensors.read(path)


@pytest.mark.parametrize("call", ["replace", "fsync", "limit"])
def test_the_old_file_stays_until_the_new_one_is_whole(path, monkeypatch, call):
    """The process is ended, or the disk is full; nothing is left beside the file."""
    hashed_safetensors.write(path, tensors(1), {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    large = {"large": torch.ones(2**16)}
    with monkeypatch.context() as patched, pytest.raises((KeyboardInterrupt, OSError)):
        if call == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
        else:
            patched.setattr(os, call, dies)
        try:
            hashed_safetensors.write(path, large, {})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert hashed_safetensors.read(path)[0]["weight"][0, 0] == 1
    assert os.listdir(path.parent) == [path.name]


def no_link(*arguments: object) -> None:
    raise PermissionError  # as on FAT


def dies(*arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("kind", [os.symlink, os.link])
def test_no_planted_file_is_written(path, monkeypatch, kind):
    path.parent.mkdir()
    victim = path.with_name("victim")
    victim.write_text("precious")
    monkeypatch.setattr(secrets, "token_hex", lambda count: "guessed")
    kind(victim, path.with_name("guessed.partial"))
    with pytest.raises(FileExistsError):
        write_whole(path, lambda file: file.write(b"new"))
    assert victim.read_text() == "precious"
    assert path.with_name("guessed.partial").exists()  # it was not ours to remove


def test_modes(path):
    before = os.umask(0o027)
    try:
        write_whole(path, lambda file: file.write(b"1"))
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
        for mode in (0o600, 0o664):
            path.chmod(mode)
            write_whole(path, lambda file: file.write(b"2"))
            assert stat.S_IMODE(os.stat(path).st_mode) == mode
    finally:
        os.umask(before)


def test_long_names(path):
    longest = path.with_name("ä" * 127 + "x")  # of 255 bytes
    write_whole(longest, lambda file: file.write(b"1"))
    assert longest.read_bytes() == b"1"
    for other in (path.with_name("x" * 256), path.parent):
        with pytest.raises(OSError, match=r"too long|directory"):
            write_whole(other, lambda file: pytest.fail("it is found after the work"))


@pytest.mark.parametrize("links", [True, False])
def test_the_file_before_is_kept(path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", no_link)
    before = path.with_name("before")
    for value in (1, 2, 3):
        hashed_safetensors.write(path, tensors(value), {}, before=before)
    assert hashed_safetensors.read(path)[0]["weight"][0, 0] == 3
    assert hashed_safetensors.read(before)[0]["weight"][0, 0] == 2
    assert {entry.name for entry in path.parent.iterdir()} == {path.name, "before"}
