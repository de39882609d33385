"""How Sphinx builds the documentation; nothing here needs the network."""

import os
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

sys.path.insert(0, str(Path(__file__).parent))

from _inventories import write_inventories
from _tables import write_all
from _weight import formulas_alone, lighter_figures

DOCS = Path(__file__).parent
write_all()

project = "contconv"
author = "The contconv authors"
copyright = "2026, The contconv authors"
version = release = version_of("contconv")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.katex",
]
exclude_patterns = ["_build", "_static", "demo", "examples", "generated"]
templates_path = ["_templates"]

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery_examples",
    "filename_pattern": "/plot_",
    "within_subsection_order": "ExampleTitleSortKey",
    "copyfile_regex": r".*\.rst",
    "thumbnail_size": (320, 224),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    # How busy the machine was that built the pages is no news.
    "write_computation_times": False,
    "min_reported_time": float("inf"),
    "reset_modules": ("matplotlib",),
    "image_scrapers": ("_weight.tight_figures",),
}

# Single backticks in docstrings are links: `continuous_conv`.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    # Other projects: `_inventories` has those of their names that have a page.
    (r"py:.*", r"(torch|jaxtyping|numpy|matplotlib)\..*"),
    # What the layers share is private.
    (r"py:.*", r"contconv\.nn\.(layer\.)?ContinuousConv"),
    # A pair with names, of a size and a cutoff.
    (r"py:class", r"contconv\.kernels\.bandlimited\.LowPass"),
    # The names that annotations use.
    (r"py:.*", r"Float|Int|Num|Shaped|Scale|Figure|SubFigure"),
]
intersphinx_mapping = write_inventories(DOCS / "generated")

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# A page for each name in the tables of api.md; `shown` says what of a class is on it.
for _stub in (DOCS / "api").glob("*.rst"):
    _stub.unlink()
autosummary_generate = True
_LAYER = "forward, explain, scale, size, reset_parameters"
_KERNEL = "basis, forward, degrees, ndim, is_shared, dtype"
autosummary_context = {
    "shown": {
        "ContinuousConv1d": _LAYER,
        "ContinuousConv2d": _LAYER,
        "ContinuousConv3d": _LAYER,
        "ScaleEnsemble": "forward, members",
        "LearnableScale": "forward, ratios",
        "CCNet": "forward",
        "BaselineNet": "forward",
        "SuperResolutionNet": "forward, tiles, save",
        "Gradual": "forward",
        "Conversion": "converted, left, undo",
        "Description": "multiply_adds",
        "ContinuousKernel": _KERNEL,
        "SeparableKernel": "axis_basis, axis_constants",
        "CosineKernel": "reset_parameters",
        "MLPKernel": "reset_parameters",
        "SplineKernel": "reset_parameters",
        "BandlimitedKernel": "low_pass, reset_parameters",
    },
}
# Those that functions return, and nobody makes.
_RETURNED = ("Conversion", "Row", "Description", "Explanation", "Equivariance")
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
# pytest runs the examples in docstrings; `sphinx-build -b doctest` those of the pages.
doctest_test_doctest_blocks = ""
toc_object_entries_show_parents = "hide"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# The style and the fonts of the version that sphinxcontrib-katex brings the script of.
katex_css_path = "katex/katex.min.css"

html_theme = "pydata_sphinx_theme"
html_title = "contconv"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_favicon = "demo/icon.svg"
# Of what leads nowhere further.
html_sidebars = {name: [] for name in ("index", "install", "search", "genindex")}
html_theme_options = {
    "logo": {"text": f"contconv {release}"},
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "show_toc_level": 2,
}
# As in README: the address of the repository, where it has one.
if _repository := os.environ.get("REPOSITORY"):
    html_theme_options["icon_links"] = [
        {"name": "Repository", "url": _repository, "icon": "fa-solid fa-code-branch"}
    ]


def plain_types(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Write types as the source does: ``torch.device``, ``Float[Tensor, "n c"]``."""
    if what == "class" and name.rpartition(".")[2] in _RETURNED:
        return "", None
    return _plain(signature), _plain(returns)


# What a scale may be; the page of the API says it once.
_REAL = r"~?(numbers\.)?Real \| float"
_SCALE = re.compile(rf"{_REAL} \| ~?(collections\.abc\.)?Sequence\[{_REAL}\]")


def plain_attributes(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Write the types of attributes so, too, and by their last names."""
    for number, line in enumerate(lines):
        if line.lstrip().startswith(":type:"):
            plain = _plain(line) or ""
            lines[number] = re.sub(r"(?<![\w.~])(?=(contconv|torch)\.)", "~", plain)


def _plain(text: str | None) -> str | None:
    if text is None:
        return None
    text = re.sub(r"~?(jaxtyping\.|torch\.(?=Tensor))", "", text)
    text = _SCALE.sub("Scale", text)
    # A default that is a class, which else keeps the signature from being read.
    text = re.sub(r"<class '([\w.]+)'>", r"\1", text)
    text = re.sub(r"torch\.nn\.modules\.\w+\.", "torch.nn.", text)
    # Public names of what private modules define, so that they become links.
    text = re.sub(r"(?<=\.)_\w+\.", "", text)
    return text.replace("~torch.", "torch.")


def by_last_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Link a name of another module, if only one documented object ends in it.

    Public names of what other public modules define count, too.
    """
    if node.get("refdomain") != "py":
        return None
    objects, target = env.domains.python_domain.objects, node["reftarget"]
    found = [name for name in objects if name.endswith("." + target)]
    if not found and target.startswith("contconv."):
        ending = "." + target.rpartition(".")[2]
        found = [n for n in objects if n.endswith(ending) and "._" not in n]
    if len(found) != 1:
        return None
    target, document = found[0], node.get("refdoc", env.docname)
    there = objects[target]
    return make_refnode(
        app.builder, document, there.docname, there.node_id, content, target
    )


def setup(app: Sphinx) -> None:
    """Connect the functions above, and what keeps pages light."""
    # Before Sphinx collects the pictures.
    app.connect("doctree-read", lighter_figures, priority=400)
    app.connect("html-page-context", formulas_alone)
    app.connect("autodoc-process-signature", plain_types)
    # After Napoleon has written them.
    app.connect("autodoc-process-docstring", plain_attributes, priority=600)
    app.connect("missing-reference", by_last_name)
