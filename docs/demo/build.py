"""Build the demo: the page, the network that ships as ONNX, and ONNX Runtime Web.

    python docs/demo/build.py docs/_build/html/demo

Needs Node's ``npm`` once, which fetches ONNX Runtime Web; the page itself loads nothing
from elsewhere.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx_files
from PIL import Image
from skimage import data as photographs

from contconv.models import superres

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "_build" / "npm"
RUNTIME = PACKAGES / "node_modules" / "onnxruntime-web" / "dist"

# The page and its parts, as they are in this folder.
PAGE = ("index.html", "style.css", "icon.svg", "js")
RUNTIME_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    # For GPUs; loaded only where there is one, and kept for later then.
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
KEPT_WHEN_ASKED_FOR = ("webgpu", "asyncify")

# In half precision; servers that compress send a seventh less.
MOST_MODEL_BYTES = 500_000


def build(folder: Path) -> None:
    """Build the demo into a folder, which is replaced."""
    install()
    if folder.exists():
        shutil.rmtree(folder)
    for name in ("model", "ort"):
        (folder / name).mkdir(parents=True)
    for name in PAGE:
        copy = shutil.copytree if (HERE / name).is_dir() else shutil.copyfile
        copy(HERE / name, folder / name)
    for name in RUNTIME_FILES:
        shutil.copyfile(RUNTIME / name, folder / "ort" / name)
    sample().save(folder / "sample.png", optimize=True)
    write_model(folder / "model")
    write_service_worker(folder)


def install() -> None:
    """ONNX Runtime Web, of the version in ``package-lock.json``."""
    PACKAGES.mkdir(parents=True, exist_ok=True)
    names = ("package.json", "package-lock.json")
    texts = [(HERE / name).read_bytes() for name in names]
    there = [PACKAGES / name for name in names]
    if RUNTIME.exists() and [path.read_bytes() for path in there] == texts:
        return
    if shutil.which("npm") is None:
        raise SystemExit("npm is not there, which fetches ONNX Runtime Web; install it")
    for path, text in zip(there, texts, strict=True):
        path.write_bytes(text)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=PACKAGES, check=True, stdout=sys.stderr)


def sample() -> Image.Image:
    """A part of a photograph of a cat (CC0), to begin with."""
    return Image.fromarray(photographs.chelsea()).crop((90, 30, 282, 174))


def write_model(folder: Path) -> None:
    """The graphs of the small network, and what the page has to know of it."""
    about: dict[str, Any] = onnx_files.write(superres.load("small"), folder)
    about["bytes"] = sum(path.stat().st_size for path in folder.glob("*.onnx"))
    if about["bytes"] > MOST_MODEL_BYTES:
        raise SystemExit(f"the graphs have {about['bytes']} bytes: too many for a page")
    (folder / "about.json").write_text(json.dumps(about))


def write_service_worker(folder: Path) -> None:
    """The service worker with the list of all files, and a version of their bytes."""
    digest, names = hashlib.sha256(), []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
            name = path.relative_to(folder).as_posix()
            if not any(word in name for word in KEPT_WHEN_ASKED_FOR):
                names.append(name)
    text = (HERE / "service-worker.js").read_text()
    digest.update(text.encode())
    text = text.replace("[/* files */]", json.dumps(names))
    text = text.replace("/* version */", digest.hexdigest()[:16])
    (folder / "service-worker.js").write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    build(parser.parse_args().folder)
