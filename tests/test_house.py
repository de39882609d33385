"""How the house is built: imports run one way, files stay small, import is cheap."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "contconv"
COMMAND = ROOT / "src" / "contconv_cli"

# Downwards: each may import those above it, and itself.
LAYERS = [
    "_types",
    "_axis",
    "_placement",
    "_scale",
    "padding",
    "_taps",
    "_grid",
    "_autocast",
    "_transforms",
    "_kept",
    "_layout",
    "_memory",
    "_sealed",
    "kernels",
    "_coverage",
    "engines",
    "_checks",
    "functional",
    "_explanation",
    "_explain",
    "_rounding",
    "_weights",
    "_blocks",
    "_passes",
    "_resize",
    "_warp",
    "nn",
    "models",
    "surgery",
    "_export",
    "metrics",
    "plots",
    "_installed",
    "info",
]


def imported(path: Path) -> set[str]:
    """The parts of the package that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    parts = [name.split(".") for name in names]
    return {p[1] for p in parts if p[0] == "contconv" and len(p) > 1}


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_every_part_has_its_place():
    assert {layer_of(path) for path in sources()} - {"__init__"} == set(LAYERS)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    if path == PACKAGE / "__init__.py":
        return
    place = LAYERS.index(layer_of(path))
    upwards = {name for name in imported(path) if LAYERS.index(name) > place}
    assert not upwards, f"{path.name} imports {upwards}, which lie above it"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_but_torch(path):
    """The library needs torch alone; nothing of it needs the experiments.

    What draws needs matplotlib, an extra, when it is called; what reads weights needs
    safetensors; what writes ONNX needs it, and what runs it; tables of conversions are
    rich's, where they are printed by it; what runs in a single kernel, on a GPU, needs
    Triton.
    """
    extras = {
        "plots": {"matplotlib"},
        "_sealed": {"safetensors"},
        "_export": {"onnxruntime"},
        "surgery": {"rich"},
    }
    allowed = extras.get(layer_of(path), set())
    if path.parent == PACKAGE / "engines" / "fused":
        allowed = {"triton"}
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            top = name.split(".")[0]
            known = {"torch", "contconv", "jaxtyping", *sys.stdlib_module_names}
            assert top in known | allowed, f"{path.name} imports {name}"


def test_nothing_but_the_extra():
    """The command needs the library and what its extra names."""
    extra = {"cyclopts", "imagecodecs", "numpy", "PIL", "rich", "tifffile"}
    known = {"torch", "contconv", "contconv_cli", *sys.stdlib_module_names} | extra
    for path in COMMAND.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            tops = {name.split(".")[0] for name in names}
            assert tops <= known, f"{path.name} imports {tops - known}"


@pytest.mark.parametrize("package", [PACKAGE, COMMAND], ids=lambda p: p.name)
def test_files_are_short(package):
    files = package.rglob("*.py")
    lengths = sorted(len(path.read_text().splitlines()) for path in files)
    assert lengths[len(lengths) // 2] <= 100
    assert lengths[-1] <= 300


def python(code: str) -> str:
    """What a fresh interpreter prints; warnings are errors."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


# As for users, who have no jaxtyping.
BLOCKED = """
import sys, importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "jaxtyping" else find_spec(name)
sys.modules["jaxtyping"] = None
import torch
"""


def test_import_is_silent_and_light():
    """It prints nothing, and takes nothing along that torch does not."""
    code = """
before = set(sys.modules)
import contconv
extra = {name.split(".")[0] for name in set(sys.modules) - before}
assert extra <= {"contconv", *sys.stdlib_module_names, "_decimal"}, extra
"""
    assert python(BLOCKED + code) == ""


def test_works_without_jaxtyping():
    code = """
import contconv
print(contconv.ContinuousConv2d(1, 1, 3)(torch.zeros(1, 4, 4), scale=2).shape)
"""
    assert python(BLOCKED + code).strip() == "torch.Size([1, 8, 8])"


def test_public_names_are_documented():
    import contconv
    from contconv import kernels, metrics, models, nn, plots

    page = (ROOT / "docs" / "api.md").read_text()
    for module in (contconv, kernels, metrics, models, nn, plots):
        for name in vars(module):
            public = name[0] != "_" and not hasattr(getattr(module, name), "__path__")
            module_file = getattr(getattr(module, name), "__file__", None)
            if public and module_file is None:
                assert name in page, f"{name} is missing in docs/api.md"
