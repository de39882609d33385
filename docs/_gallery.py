"""The gallery: every experiment's claim, figure and numbers, from its record."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from _markdown import source

sys.path.insert(0, str(Path(__file__).parents[1]))

from experiments import table


def write_gallery(folder: Path) -> None:
    """Write the table and all sections to ``folder``."""
    (folder / "paper.md").write_text(table.table("gallery.md") + "\n")
    sections = (_section(*found) for found in table.recorded())
    lines = [line for section in sections for line in section]
    (folder / "gallery.md").write_text("\n".join(lines) + "\n")


def _section(name: str, module: ModuleType, record: dict[str, Any]) -> Iterator[str]:
    yield from (f"## {table.title(name)}", "")
    claim, _, how = inspect.cleandoc(module.__doc__ or "").partition("\n\n")
    yield from (f"**{claim}**", "", how, "")
    yield from (f"![{claim}](figures/{name}.png)", "")
    if hasattr(module, "compared"):
        yield from ("| claim | paper | ours |", "|---|---|---|")
        for row in module.compared(record["result"]):
            yield "| " + " | ".join(row) + " |"
        yield ""
    taken = table.taken(name)
    yield f"*`python -m experiments {name}`; {taken}. {source(record)}*"
    yield ""
