"""A picture to make, and which of all of them this process makes."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# Seconds between two looks at who has come.
_PAUSE = 0.2


@dataclass(frozen=True)
class Job:
    """A picture to make.

    Attributes:
        source: The file that it is made from; None is standard input.
        target: The file that it goes to; None is standard output.
        form: The format that it gets; None is that of the source.
        alone: Whether a single file was asked for; then it may not exist already.
    """

    source: Path | None
    target: Path | None
    form: str | None
    alone: bool

    @property
    def name(self) -> str:
        """Of the source, for messages."""
        return str(self.source) if self.source else "standard input"

    @property
    def target_name(self) -> str:
        """Of the target, for messages."""
        return str(self.target) if self.target else "standard output"


@dataclass(frozen=True)
class Share:
    """This process among those that `torchrun` started, on one machine or many."""

    rank: int = 0
    count: int = 1
    local: int = 0

    @classmethod
    def own(cls) -> "Share":
        """As the environment says.

        Raises:
            ValueError: If what it says makes no sense.
        """
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        texts = [os.environ.get(name) for name in names]
        if texts[0] is texts[1] is None:
            return cls()
        said = ", ".join(
            f"{name}={text!r}" if text is not None else f"no {name}"
            for name, text in zip(names, texts, strict=True)
        )
        try:
            rank, count = int(texts[0] or ""), int(texts[1] or "")
            local = int(texts[2] or 0)
        except ValueError:
            rank, count, local = 0, 0, 0
        if not (0 <= rank < count and 0 <= local < count):
            raise ValueError(
                f"the environment has {said}, but RANK must be a whole number from 0 "
                "to WORLD_SIZE - 1; torchrun sets them, or unset both"
            )
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
