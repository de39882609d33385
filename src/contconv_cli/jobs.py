"""Which pictures are made from which, and which of them this process makes."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from contconv_cli.errors import PictureError
from contconv_cli.pictures.formats import SUFFIXES, form_of

# Seconds between two looks at who has come.
_PAUSE = 0.2


@dataclass(frozen=True)
class Job:
    """A picture to make.

    Attributes:
        source: The file that it is made from.
        target: The file that it goes to.
        alone: Whether a single file was asked for; then it may not exist already.
    """

    source: Path
    target: Path
    alone: bool


@dataclass(frozen=True)
class Share:
    """This process among those that `torchrun` started, on one machine or many."""

    rank: int = 0
    count: int = 1
    local: int = 0

    @classmethod
    def own(cls) -> "Share":
        """As the environment says."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        if not all(name in os.environ for name in names[:2]):
            return cls()
        rank, count, local = (int(os.environ.get(name, 0)) for name in names)
        return cls(rank, count, local)


def barrier(count: int) -> None:
    """Wait until so many processes have come here, if `torchrun` started them.

    As soon as one ends with another exit code than 0, it stops the others, whatever
    they have still to do. A counter in its store is enough: no process group is made.
    """
    if count == 1 or "TORCHELASTIC_RUN_ID" not in os.environ:
        return
    from torch.distributed.rendezvous import rendezvous

    with suppress(RuntimeError):  # the store has gone, and with it whom to wait for
        store, _, _ = next(rendezvous("env://"))
        store.add("ended", 1)
        while store.add("ended", 0) < count:
            time.sleep(_PAUSE)


def jobs(source: Path, target: Path) -> list[Job]:
    """All pictures to make, in the order of their names.

    A folder is searched with all that is in it, and comes out as it is; formats are
    kept.

    Args:
        source: A file or a folder.
        target: A file, or the folder that it goes to.

    Raises:
        PictureError: If there is nothing to do, or it cannot be done.
    """
    try:
        return _jobs(source, target)
    except OSError as error:  # such as a name that is too long
        raise PictureError(
            f"{error.filename} cannot be used: {error.strerror}"
        ) from None


def _jobs(source: Path, target: Path) -> list[Job]:
    if not source.exists():
        raise PictureError(f"{source} does not exist")
    if source.is_dir():
        return _of_folder(source, target)
    if target.is_dir():
        target = target / source.name
    form_of(target)
    if target.exists() and target.samefile(source):
        raise PictureError(f"{target} is the picture itself; choose another name")
    return [Job(source, target, alone=True)]


def _of_folder(source: Path, target: Path) -> list[Job]:
    if target.exists() and not target.is_dir():
        raise PictureError(f"{source} is a folder, but {target} is a file")
    inner = target.resolve()
    if inner == source.resolve():
        raise PictureError(f"{target} is the folder itself; choose another one")
    if source.resolve().is_relative_to(inner):
        raise PictureError(
            f"{source} lies in {target}, and pictures could overwrite each other; "
            "choose a folder outside"
        )
    found = [
        path
        for path in sorted(source.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
        and not path.resolve().is_relative_to(inner)
    ]
    if not found:
        raise PictureError(
            f"{source} holds no pictures ({', '.join(SUFFIXES)}); nothing to do"
        )
    return [Job(path, target / path.relative_to(source), alone=False) for path in found]
