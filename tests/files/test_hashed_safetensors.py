"""A sealed file is what was written, or is refused; it is never half-written."""

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from contconv._files import hashed_safetensors
from contconv._files.hashed_safetensors import DamagedError


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


def test_the_old_file_stays_until_the_new_one_is_whole(path, monkeypatch):
    """The process dies just before the new name, or while bytes are written."""
    hashed_safetensors.write(path, tensors(1), {})
    for call in ("replace", "fsync"):
        with monkeypatch.context() as patched:
            patched.setattr(os, call, dies)
            with pytest.raises(KeyboardInterrupt):
                hashed_safetensors.write(path, tensors(2), {})
        assert hashed_safetensors.read(path)[0]["weight"][0, 0] == 1


def dies(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_the_file_before_is_kept(path):
    before = path.with_name("before")
    for value in (1, 2, 3):
        hashed_safetensors.write(path, tensors(value), {}, before=before)
    assert hashed_safetensors.read(path)[0]["weight"][0, 0] == 3
    assert hashed_safetensors.read(before)[0]["weight"][0, 0] == 2
    assert {entry.name for entry in path.parent.iterdir()} == {path.name, "before"}
