"""Files put in their places, whole or not at all."""

import hashlib
import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from contconv_cli.errors import PictureError

# Of a picture that is being written: hashes of its name and of the machine, the
# process, and chance. Short, whatever its name is.
_PARTIAL = re.compile(
    r"\.contconv-([0-9a-f]{16})-([0-9a-f]{8})-(\d+)-[0-9a-f]{16}\.partial"
)

# No file takes as long: its content is there when the writing begins.
_LONGEST = 3600

# Links are not followed, and what is there already is not opened.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_NEW |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NEW |= getattr(os, "O_CLOEXEC", 0)


def put(content: bytes, path: Path, like: Path | None = None) -> None:
    """Write a file beside its place, force it to the disk, and rename it.

    Whatever happens meanwhile, the name stands for the old file or for the new one. Who
    may read it: as the old file, or else as the one that it was made from.

    Args:
        content: Of the file.
        path: Its name.
        like: The file that it was made from.

    Raises:
        PictureError: If it cannot be written.
    """
    partial = path.with_name(_partial_name(path.name))
    made = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(partial, _NEW, 0o600)
        made = True
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _permit(file.fileno(), path, like)
            os.fsync(file.fileno())
        os.replace(partial, path)
        made = False
    except OSError as error:
        raise PictureError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        if made:  # not renamed, as after Ctrl-C
            with suppress(OSError):
                partial.unlink()


def _permit(descriptor: int, path: Path, like: Path | None) -> None:
    """Let those read it who could read what it takes the place of, or comes from."""
    if os.name != "posix":
        return
    old = _status(path)
    if old and stat.S_ISREG(old.st_mode):
        with suppress(OSError):  # others' files stay theirs, if one is allowed to
            os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & 0o777)
        return
    source = _status(like) if like else None
    kept = source and stat.S_ISREG(source.st_mode)  # nobody else reads a pipe
    mode = source.st_mode & 0o666 if source and kept else 0o666
    os.fchmod(descriptor, (mode & ~_umask()) | 0o600)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def check_place(path: Path) -> None:
    """Raise PictureError if nothing can be written there, before it is made."""
    try:
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            raise PictureError(f"{path} cannot be written: it is a folder")
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
            raise PictureError(f"{path} cannot be written: it is no file")
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # such as a name that is too long
        raise PictureError(f"{path} cannot be written: {error.strerror}") from None
    above = path.parent
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise PictureError(f"{path} cannot be written: {above} is not a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise PictureError(f"{path} cannot be written: {above} is not writable")


def clear(targets: Iterable[Path]) -> None:
    """Remove what killed processes left beside these files.

    What a process still writes stays, on this machine or on another one.
    """
    names: dict[Path, set[str]] = {}
    for path in targets:
        names.setdefault(path.parent, set()).add(_hash(path.name, 16))
    for folder, own in names.items():
        with suppress(OSError):  # there is no such folder yet
            for file in list(folder.glob(".contconv-*.partial")):
                found = _PARTIAL.fullmatch(file.name)
                if found and found[1] in own and _is_left(file, found[2], found[3]):
                    file.unlink(missing_ok=True)


def _partial_name(name: str) -> str:
    token = secrets.token_hex(8)
    return f".contconv-{_hash(name, 16)}-{_machine()}-{os.getpid()}-{token}.partial"


def _is_left(file: Path, machine: str, process: str) -> bool:
    if time.time() - file.lstat().st_mtime > _LONGEST:
        return True
    return machine == _machine() and not _runs(int(process))


def _runs(process: int) -> bool:
    # Elsewhere, signal 0 would end it.
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _machine() -> str:
    return _hash(platform.node(), 8)


def _hash(text: str, digits: int) -> str:
    data = text.encode("utf-8", "surrogateescape")
    return hashlib.sha256(data).hexdigest()[:digits]
