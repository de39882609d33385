"""Files of tensors with a SHA-256 over every byte, written whole or not at all.

They are safetensors files. That package, an extra, is needed to read and to write them.
"""

import hashlib
import json
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from contconv._files.whole import write_whole

# Stands where the digest will, while the digest is taken.
_BLANK = b"0" * 64

# In bytes, as in safetensors itself: JSON takes many times as much memory.
_LONGEST_HEADER = 100_000_000


class DamagedError(Exception):
    """A file is not what was written."""


def write(
    path: Path,
    tensors: Mapping[str, Tensor],
    notes: dict[str, Any],
    *,
    before: Path | None = None,
) -> None:
    """Write tensors and notes, as `write_whole` does.

    Args:
        path: A safetensors file.
        tensors: What it holds; of any device and memory layout.
        notes: What JSON can hold.
        before: Where the old file goes; it is lost unless given.

    Raises:
        OSError: If the file cannot be written; the old one stays.
        TypeError, ValueError: If JSON cannot hold the notes.
    """
    from safetensors.torch import save

    def fill(file: BinaryIO) -> None:
        own = {name: _own(tensor) for name, tensor in tensors.items()}
        # Random, so that it is nowhere else: not in the notes either.
        mark = secrets.token_hex(len(_BLANK) // 2)
        content = save(own, {"notes": json.dumps(notes), "sha256": mark})
        place = content.index(mark.encode())
        file.write(content[:place])
        file.write(_digest(content, place).encode())
        file.write(memoryview(content)[place + len(_BLANK) :])

    write_whole(path, fill, before=before)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and notes.

    Raises:
        DamagedError: If one bit is not as it was written, or it never was such a file.
        OSError: If the file cannot be read.
    """
    from safetensors.torch import load

    if not stat.S_ISREG(path.stat().st_mode):
        raise DamagedError(f"{path} is no file")
    content = path.read_bytes()
    texts = _texts(content, path)
    if _digest(content, content.find(texts["sha256"].encode())) != texts["sha256"]:
        raise DamagedError(f"{path} is damaged: its content does not match its SHA-256")
    try:
        tensors, notes = load(content), json.loads(texts["notes"])
    except Exception as error:  # of a file by hand, whatever it is
        raise DamagedError(f"{path} cannot be read: {error}") from None
    if not isinstance(notes, dict):
        raise DamagedError(f"{path} cannot be read: its notes are no JSON object")
    return tensors, notes


def _own(tensor: Tensor) -> Tensor:
    """A copy: tensors that share memory cannot be written."""
    layout = torch.contiguous_format
    return tensor.detach().to("cpu", copy=True, memory_format=layout)


def _digest(content: bytes, place: int) -> str:
    """The digest of the content as it was before its digest took its place there."""
    view = memoryview(content)
    digest = hashlib.sha256(view[:place])
    digest.update(_BLANK)
    digest.update(view[place + len(_BLANK) :])
    return digest.hexdigest()


def _texts(content: bytes, path: Path) -> dict[str, str]:
    """The notes and the digest, from the header: a length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    try:
        if length > _LONGEST_HEADER:
            raise ValueError
        texts = json.loads(content[8 : 8 + length])["__metadata__"]
        digits = texts["sha256"].isascii() and len(texts["sha256"]) == len(_BLANK)
        if digits and set(texts) == {"notes", "sha256"}:
            return {key: str(text) for key, text in texts.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    if content[:4] == b"PK\x03\x04" or content[:1] == b"\x80":
        raise DamagedError(
            f"{path} looks like a pickle, as torch.save writes it, which may run any "
            "code when it is loaded; it is not read. It should be a safetensors file"
        )
    raise DamagedError(f"{path} is no sealed safetensors file, or truncated or damaged")
