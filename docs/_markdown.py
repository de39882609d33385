"""Tables in Markdown."""

from collections.abc import Iterable
from typing import Any


def row(*cells: str) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """The lines of a table: the first column to the left, numbers to the right."""
    head = list(head)
    rule = row("---", *["---:"] * (len(head) - 1))
    return [row(*head), rule, *(row(*cells) for cells in rows)]


def source(record: dict[str, Any]) -> str:
    """Where the numbers of a record are from."""
    return f"Measured at commit {record['commit']} with PyTorch {record['torch']}."
