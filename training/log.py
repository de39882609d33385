"""A log in JSON lines: one for each start, for some steps, and for each epoch."""

import json
import os
from pathlib import Path
from typing import Any

from training.progress import Progress

NAME = "log.jsonl"


class JsonLines:
    """Appends lines to a file, each at once.

    Args:
        path: The file.
        position: Where the training begins. Lines that tell of what came before are
            kept; what came after will be told again.
    """

    def __init__(self, path: Path, position: Progress) -> None:
        kept = [line for line in read(path) if _before(line, position)]
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text("".join(map(_text, kept)))
        os.replace(partial, path)
        self._file = path.open("a")

    def write(self, kind: str, record: dict[str, Any]) -> None:
        """Append a line: ``{"kind": kind, **record}``."""
        self._file.write(_text({"kind": kind, **record}))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a log, without a last one that was cut off; empty if none is there.

    Each has a ``kind``: ``"start"``, ``"step"`` or ``"epoch"``.
    """
    if not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def _before(line: dict[str, Any], position: Progress) -> bool:
    if line["kind"] == "epoch":
        return line["epoch"] < position.epoch
    return line["steps"] <= position.done


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
