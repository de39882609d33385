"""A demo that was built, a server for it, and a browser that looks at it."""

import base64
import contextlib
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from contconv.models import superres
from contconv.models.superres.network import target
from contconv.models.superres.upsampler import enlarged

ROOT = Path(__file__).parents[2]
AXE = ROOT / "docs" / "_build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"

TIMES = "\N{MULTIPLICATION SIGN}"

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def browser_path() -> str:
    """The browser; the tests are skipped, loudly, where there is none."""
    pytest.importorskip("playwright", reason="NOT TRIED: no playwright, so no browser")
    if shutil.which("npm") is None:
        pytest.skip("NOT TRIED: the demo in a browser; run tests/browser/install.sh")
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    pytest.skip("NOT TRIED: the demo in a browser; run tests/browser/install.sh")


@contextlib.contextmanager
def launched(*args: str) -> Iterator[Any]:
    """That browser, without a window, and with these arguments."""
    path = browser_path()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", *args]
        )
        yield browser
        browser.close()


def built(shared: Path) -> Path:
    """A folder with the demo in ``demo/``, built by the first process that asks."""
    folder = shared / "site"
    with FileLock(shared / "site.lock"):
        if not (folder / "built").exists():
            script = ROOT / "docs" / "demo" / "build.py"
            subprocess.run([sys.executable, script, folder / "demo"], check=True)
            (folder / "built").touch()
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a plain file server for a folder."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


# Milliseconds; a busy machine may be ten times slower than the usual ones.
PATIENCE = 300_000


class Demo:
    """The page as a person sees it."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._heard)
        page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def open(self) -> None:
        """Open it, and wait until the picture that it begins with is enlarged."""
        self.page.goto(f"{self.address}/demo/")
        self.finished()

    def give(self, name: str, data: bytes, kind: str = "image/png") -> None:
        """Choose a file."""
        file = {"name": name, "mimeType": kind, "buffer": data}
        self.page.set_input_files("#file", file)

    def shown(self, width: int) -> None:
        """Wait for a picture of so many columns."""
        self.page.wait_for_function(
            "(width) => document.getElementById('width').min === String(width)",
            arg=width,
        )

    def finished(self) -> str:
        """Wait for the end of an enlargement; what the page says of it."""
        self.page.wait_for_function(
            "document.getElementById('status')?.textContent.includes(' pixels in ')"
        )
        return self.page.inner_text("#status")

    def enlarged(self, height: int, width: int) -> str:
        """Enlarge to a size, each axis for itself."""
        self.page.uncheck("#keep")
        self.page.evaluate("document.getElementById('status').textContent = ''")
        for name, value in (("width", width), ("height", height)):
            self.page.fill(f"#{name}", str(value))
            self.page.dispatch_event(f"#{name}", "change")
        self.page.wait_for_function(
            f"document.getElementById('status').textContent"
            f".startsWith('{width} {TIMES} {height} pixels in ')"
        )
        return self.page.inner_text("#status")

    def pixels(self, name: str) -> np.ndarray:
        """What a canvas shows, ``[height, width, 3]`` in bytes."""
        encoded = self.page.evaluate(
            "(id) => document.getElementById(id).toDataURL('image/png').split(',')[1]",
            name,
        )
        return picture(base64.b64decode(encoded))


def picture(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def expected(pixels: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """The network's and the cubic output, as `contconv upscale` rounds them."""
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    ratios, out = target(image, None, size)
    with torch.no_grad():
        made = superres.load("small")(image, size=size), enlarged(image, ratios, out)
    levels = ((one[0].permute(1, 2, 0) * 255).round().clamp(0, 255) for one in made)
    return tuple(one.byte().numpy() for one in levels)


def difference(one: np.ndarray, other: np.ndarray) -> int:
    """The most that two pictures differ by, in levels of 255."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())
