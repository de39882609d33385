"""The gallery: every experiment's claim, figure and numbers, from its record."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from _markdown import source

sys.path.insert(0, str(Path(__file__).parents[1]))

from experiments import table


def write_gallery(docs: Path) -> None:
    """Write the table, the index, and a page for each experiment."""
    pages = docs / "paper"
    pages.mkdir(exist_ok=True)
    (docs / "generated" / "paper.md").write_text(table.table("paper/{}.md") + "\n")
    index = []
    for name, module, record in table.recorded():
        title = table.ORDER[name]
        (pages / f"{name}.md").write_text("\n".join(_page(name, module, record)) + "\n")
        link = f"[Figure and numbers](paper/{name}.md)"
        index += [f"### {title}", "", f"{table.claim(module)} {link}.", ""]
    for name in table.missing():
        module = importlib.import_module(f"experiments.claims.{name}")
        index += [f"### {table.ORDER[name]}", "", table.claim(module)]
        index += ["*Not yet run in full.*", ""]
    names = [f"paper/{name}" for name, _, _ in table.recorded()]
    index += ["```{toctree}", ":hidden:", "", *names, "```"]
    (docs / "generated" / "gallery.md").write_text("\n".join(index) + "\n")


def _page(name: str, module: ModuleType, record: dict[str, Any]) -> Iterator[str]:
    yield from (f"# {table.ORDER[name]}", "")
    claim, _, how = inspect.cleandoc(module.__doc__ or "").partition("\n\n")
    yield from (f"**{claim}**", "", how, "")
    yield from (f"![{claim}](../figures/{name}.png)", "")
    if hasattr(module, "compared"):
        yield from (":::{div} compared", "| claim | paper | ours |", "|---|---|---|")
        for row in module.compared(record["result"]):
            yield "| " + " | ".join(row) + " |"
        yield from (":::", "")
    yield f"*`python -m experiments {name}`: {_time(name)}. {source(record)}*"
    yield ""


def _time(name: str) -> str:
    """How long it took, and the training before it, which may be stored."""
    own, _, training = table.taken(name).partition(" + ")
    if not training:
        return own
    training = "" if training == "training" else f" in {training}"
    stored = "" if name in table.NOT_STORED else ", and are stored"
    return f"{own}, with networks that were trained before{training}{stored}"
