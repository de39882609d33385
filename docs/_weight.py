"""What keeps pages light: figures as WebP, and formulas' script where formulas are."""

from pathlib import Path
from typing import Any

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx_gallery.scrapers import matplotlib_scraper

# Bytes from which a figure is written anew: photographs, and many curves.
_MOST = 100_000


def lighter_figures(app: Sphinx, doctree: nodes.document) -> None:
    """Put WebP in the place of large PNG files; the committed ones stay."""
    place = Path(app.env.doc2path(app.env.docname)).parent
    for node in doctree.findall(nodes.image):
        path = place / node["uri"]
        if path.suffix != ".png" or not path.exists() or path.stat().st_size < _MOST:
            continue
        light = Path(app.srcdir) / "generated" / f"{path.stem}.webp"
        with Image.open(path) as image:
            image.convert("RGB").save(light, quality=85)
        node["uri"] = f"/generated/{light.name}"


def tight_figures(*args: Any) -> str:
    """The figures of an example, without empty margins."""
    return matplotlib_scraper(*args, bbox_inches="tight")


def formulas_alone(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Leave KaTeX out where there is nothing for it to do."""
    if 'class="math' in (context.get("body") or ""):
        return
    for kind in ("script_files", "css_files"):
        kept = [file for file in context[kind] if not _is_katex(str(file.filename))]
        context[kind] = kept


def _is_katex(name: str) -> bool:
    return "katex" in name or "auto-render" in name
