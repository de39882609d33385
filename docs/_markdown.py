"""Tables in Markdown."""

from collections.abc import Iterable
from typing import Any


def row(*cells: str) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def table(
    head: Iterable[str], rows: Iterable[Iterable[str]], words: int = 1
) -> list[str]:
    """The lines of a table: the first columns, of words, to the left; else numbers."""
    head = list(head)
    rule = row(*["---"] * words, *["---:"] * (len(head) - words))
    return [row(*head), rule, *(row(*cells) for cells in rows)]


def source(record: dict[str, Any]) -> str:
    """Where the numbers of a record are from."""
    return f"Measured at commit {record['commit']} with PyTorch {record['torch']}."
