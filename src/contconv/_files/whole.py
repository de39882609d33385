"""Files that are written whole or not at all."""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

# No link that somebody planted is followed, and no file taken that is there.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
for _flag in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"):
    _NEW |= getattr(os, _flag, 0)


def write_whole(
    path: Path, fill: Callable[[BinaryIO], object], *, before: Path | None = None
) -> None:
    """Write a file, so that the target is the old one or the new one, whatever happens.

    One beside it is written, under a name that nobody can know, forced to the disk, and
    renamed; after any error it is removed. The new file has the mode of the old one, or
    the usual one.

    Args:
        path: The file. Folders on the way are made.
        fill: Writes the content.
        before: Where the old file goes; it is lost unless given. There is no moment
            without a target.

    Raises:
        OSError: If it cannot be written; a name that is too long, before anything is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = _mode(path)
    partial = _partial(path)
    descriptor = os.open(partial, _NEW, 0o666 if mode is None else 0o600)
    try:
        with open(descriptor, "wb") as file:
            fill(file)
            if mode is not None:
                os.chmod(descriptor if os.chmod in os.supports_fd else partial, mode)
            file.flush()
            os.fsync(file.fileno())
        if before and mode is not None:
            _keep(path, before)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


def _partial(path: Path) -> Path:
    # A short name: the target's may be as long as names can be.
    return path.with_name(f"{secrets.token_hex(8)}.partial")


def _keep(path: Path, before: Path) -> None:
    """Give a file another name, too."""
    kept = _partial(path)
    try:
        try:
            os.link(path, kept)
        except OSError:  # where a file has one name at most
            shutil.copy2(path, kept)
        os.replace(kept, before)
    finally:
        # Still there if both were names of one file already.
        kept.unlink(missing_ok=True)


def _mode(path: Path) -> int | None:
    """The permissions of a file; None if there is none."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):  # renaming would put a file in the place of a device
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return stat.S_IMODE(mode)


def sync(folder: Path) -> None:
    """Force the names of a folder's files to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
