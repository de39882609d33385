"""Files put in their places, whole or not at all."""

import os
import platform
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from contconv_cli.errors import PictureError

# Of a picture that is being written: its name, the machine, the process.
_PARTIAL = re.compile(r"\.(.+)\.([^.]*)-(\d+)\.partial")

# No file takes as long: its content is there when the writing begins.
_LONGEST = 3600


def put(content: bytes, path: Path) -> None:
    """Write a file beside its place, force it to the disk, and rename it.

    Whatever happens meanwhile, the name stands for the old file or for the new one.

    Raises:
        PictureError: If it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{_machine()}-{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise PictureError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            partial.unlink()  # there only if it was not renamed, as after Ctrl-C


def check_place(path: Path) -> None:
    """Raise PictureError if nothing can be written there, before it is made."""
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
        names.setdefault(path.parent, set()).add(path.name)
    for folder, own in names.items():
        with suppress(OSError):  # there is no such folder yet
            for file in list(folder.glob(".*.partial")):
                found = _PARTIAL.fullmatch(file.name)
                if found and found[1] in own and _is_left(file, found[2], found[3]):
                    file.unlink(missing_ok=True)


def _is_left(file: Path, machine: str, process: str) -> bool:
    if time.time() - file.stat().st_mtime > _LONGEST:
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
    return platform.node().partition(".")[0]
