"""How the house is built: imports run one way, files stay small, import is cheap."""

import ast
import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "contconv"
COMMAND = ROOT / "src" / "contconv_cli"

# Bottom to top: a file imports from its own row or from rows above it in this list.
ROWS = (
    ("_runtime", "_files"),
    ("_grid",),
    ("kernels",),
    ("engines",),
    ("functional",),
    ("nn", "metrics", "info"),
    ("models", "surgery", "plots"),
    ("export",),
)
ROW_OF = {part: i for i, row in enumerate(ROWS) for part in row}

# What parts take beside torch, when they are called.
EXTRAS = {
    "plots": {"matplotlib"},
    "_files": {"safetensors"},
    "export": {"onnx", "onnxruntime", "onnxscript"},
    "engines/fused": {"triton"},
    "engines/native": {"contconv_native"},
}
COMMAND_NEEDS = {"cyclopts", "imagecodecs", "numpy", "PIL", "rich", "tifffile"}
COMMAND_NEEDS |= {"pillow_heif"}  # of the extra heif, where there is any


def imported(path: Path) -> set[str]:
    """The modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if is_module(name)}
            names |= modules
            if modules != inner:
                names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return names


def is_module(name: str) -> bool:
    places = (ROOT / "src", ROOT)
    paths = [place.joinpath(*name.split(".")) for place in places]
    return any(p.with_suffix(".py").exists() or p.is_dir() for p in paths)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if p != PACKAGE / "__init__.py"]


def test_imports_run_one_way():
    assert {part_of(path) for path in sources()} == set(ROW_OF)
    upwards = []
    for path in sources():
        row = ROW_OF[part_of(path)]
        parts = [name.split(".") for name in imported(path)]
        own = {p[1] for p in parts if p[0] == "contconv" and len(p) > 1}
        upwards += [(path.name, name) for name in own if ROW_OF[name] > row]
    assert not upwards


def test_imports_make_no_circle():
    """Not even within a part, nor between what is not installed."""
    folders = (PACKAGE, COMMAND, *(ROOT / n for n in ("benchmarks", "experiments")))
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    names = {module_name(path): path for path in paths}
    graph = {name: imported(path) & set(names) for name, path in names.items()}
    list(TopologicalSorter(graph).static_order())


def module_name(path: Path) -> str:
    relative = path.relative_to(ROOT)
    parts = relative.with_suffix("").parts
    parts = parts[1:] if parts[0] == "src" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_the_library_needs_torch_alone():
    """And its command what the extra names; extras are imported where they are used."""
    for path in [*sources(), *COMMAND.rglob("*.py")]:
        known = {"torch", "contconv", "jaxtyping", *sys.stdlib_module_names}
        if path.is_relative_to(COMMAND):
            known |= {"contconv_cli", *COMMAND_NEEDS}
        else:
            place = str(path.relative_to(PACKAGE))
            known |= {n for k, ns in EXTRAS.items() if place.startswith(k) for n in ns}
        tops = {name.split(".")[0] for name in imported(path)}
        assert tops <= known, f"{path.name} imports {tops - known}"


def test_files_are_short():
    for path in [*sources(), *COMMAND.rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 300, path.name


def test_one_underscore_per_path():
    for path in sources():
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        hidden = [p for p in parts if p[0] == "_" and p != "__init__"]
        assert len(hidden) <= 1 and not hidden[1:], path.name
        assert not hidden or hidden[0] == parts[0], f"{path.name}: only folders"


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
    from contconv import kernels, metrics, models, nn, plots, surgery

    page = (ROOT / "docs" / "api.md").read_text()
    for module in (contconv, kernels, metrics, models, nn, plots, surgery):
        for name in vars(module):
            public = name[0] != "_" and not hasattr(getattr(module, name), "__path__")
            module_file = getattr(getattr(module, name), "__file__", None)
            if public and module_file is None:
                assert name in page, f"{name} is missing in docs/api.md"


def test_the_code_of_readme_runs():
    code = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert code
    for block in code:
        exec(compile(block, "README.md", "exec"), {})


def test_a_star_takes_the_public_names_and_no_more():
    import contconv

    public = {name for name in vars(contconv) if name[0] != "_"}
    modules = {name for name in public if hasattr(getattr(contconv, name), "__path__")}
    modules -= {"kernels", "metrics", "models"}
    assert set(contconv.__all__) == public - modules - {"info", "jaxtyping"}
    assert version("contconv") == contconv.__version__
