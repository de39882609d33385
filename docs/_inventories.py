"""Where the names of other projects are documented, without asking the network.

Intersphinx reads inventories, which lie on the projects' sites. Those here are written
from the few names that these pages use: a build needs no network, and cannot fail or
warn for want of it. A name that is missing here is an error of the build.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

ADDRESSES = {
    "python": "https://docs.python.org/3/",
    "torch": "https://docs.pytorch.org/docs/stable/",
}

# Project, kind and page ({} is the name); then the names, each its own anchor there
# unless the page has one: those that annotations use without their modules.
NAMES = {
    ("python", "class", "library/fractions.html"): "fractions.Fraction",
    ("python", "class", "library/pathlib.html"): "pathlib.Path",
    ("python", "class", "library/numbers.html"): "numbers.Real",
    ("python", "class", "library/collections.abc.html"): (
        "collections.abc.Callable collections.abc.Iterable collections.abc.Iterator "
        "collections.abc.Mapping collections.abc.Sequence collections.abc.Hashable"
    ),
    ("python", "class", "library/functions.html"): "bool float int",
    ("python", "class", "library/stdtypes.html"): "dict list str tuple",
    ("python", "class", "library/typing.html"): "typing.Any",
    ("python", "exception", "library/exceptions.html"): (
        "ImportError ModuleNotFoundError OSError RuntimeError TypeError UserWarning "
        "ValueError"
    ),
    ("python", "data", "library/constants.html"): "None",
    ("python", "class", "library/numbers.html#numbers.Real"): "Real",
    ("python", "class", "library/collections.abc.html#collections.abc.{}"): (
        "Callable Sequence"
    ),
    ("torch", "class", "tensors.html#torch.Tensor"): "Tensor torch.Tensor",
    ("torch", "class", "generated/torch.{}.html#torch.{}"): "nn.Conv2d nn.Module",
    ("torch", "class", "tensor_attributes.html"): "torch.device torch.dtype",
    ("torch", "class", "generated/{}.html"): (
        "torch.Generator torch.nn.Conv2d torch.nn.Module torch.nn.Sequential"
    ),
    ("torch", "function", "generated/{}.html"): (
        "torch.compile torch.nn.functional.conv2d torch.nn.functional.grid_sample "
        "torch.nn.functional.interpolate torch.roll torch.rot90"
    ),
}


def write_inventories(folder: Path) -> dict[str, tuple[str, str]]:
    """Write an inventory for each project; returns what intersphinx is told."""
    told = {}
    for project, address in ADDRESSES.items():
        head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
        head += "# The remainder of this file is compressed using zlib.\n"
        body = zlib.compress("".join(_lines(project)).encode())
        path = folder / f"{project}.inv"
        path.write_bytes(head.encode() + body)
        told[project] = (address, str(path))
    return told


def _lines(project: str) -> Iterator[str]:
    for (of, kind, page), names in NAMES.items():
        if of == project:
            for name in names.split():
                where = page if "#" in page else f"{page}#{{}}"
                yield f"{name} py:{kind} 1 {where.replace('{}', name)} -\n"
