"""The demo in a real browser: what it shows, refuses, keeps, and lets people do."""

import json
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from skimage import data

from contconv._grid.grid import resized_axes
from tests.browser.pages import (
    AXE,
    PATIENCE,
    ROOT,
    TIMES,
    Demo,
    difference,
    expected,
    picture,
    png,
)

pytestmark = [pytest.mark.slow, pytest.mark.plain]


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def demo(context: Any, address: str) -> Iterator[Demo]:
    demo = Demo(context.new_page(), address)
    demo.open()
    yield demo
    assert not demo.errors
    assert not demo.elsewhere


def test_equals_python_at_any_size_and_keeps_the_features(demo: Demo):
    """Two parts, so a seam in the middle; ties at 3; odd and unequal sizes."""
    pixels = data.astronaut()[40:365, 60:497]
    demo.give("face.png", png(pixels))
    demo.shown(437)
    for i, size in enumerate([(877, 1179), (975, 1311), (487, 655), (331, 1001)]):
        said = demo.enlarged(*size)
        network, cubic = expected(pixels, size)
        assert difference(demo.pixels("network"), network) <= 1
        assert difference(demo.pixels("cubic"), cubic) <= 1
        assert difference(network, cubic) > 20
        assert i == 0 or "without encoding the picture again" in said


def test_a_small_picture_and_the_download(demo: Demo):
    """Smaller than the kernel's support; the file is what the page shows."""
    pixels = data.coffee()[100:103, 200:205].copy()
    demo.give("tiny.png", png(pixels))
    demo.shown(5)
    demo.enlarged(11, 37)
    network, _ = expected(pixels, (11, 37))
    assert difference(demo.pixels("network"), network) <= 1
    with demo.page.expect_download() as download:
        demo.page.click("#download")
    assert download.value.suggested_filename == "tiny-37x11.png"
    assert not difference(
        picture(download.value.path().read_bytes()), demo.pixels("network")
    )


def test_grid_is_that_of_the_library(demo: Demo):
    """Every number of the tables, at sizes with and without ties, and down to 1."""
    sys.path.insert(0, str(ROOT / "docs" / "demo"))
    import graphs

    for in_size, out_size in [(1, 1), (7, 21), (10, 27), (33, 40), (5, 40), (64, 173)]:
        y, x = resized_axes((in_size,) * 2, (4, 4), None, (out_size,) * 2)
        library = graphs.tables((y, x))
        columns, rows = demo.page.evaluate(
            """async ([inSize, outSize, block]) => {
              const { Axis, columnTable, rowTable } = await import("./js/grid.js");
              const axis = new Axis(inSize, outSize, 4);
              const plain = (table) => Object.fromEntries(
                Object.entries(table).map(([key, value]) =>
                  [key, value.length === undefined ? value : Array.from(value)]));
              return [plain(columnTable(axis, 0, outSize)),
                plain(rowTable(axis, 0, outSize, block))];
            }""",
            [in_size, out_size, graphs.BLOCK],
        )
        for made, names, truth in (
            (columns, ("source", "distance", "weight"), library.x),
            (rows, ("source", "distance", "weight", "rows"), library.y),
        ):
            assert made["low"] == library.low[0]
            for name, values in zip(names, truth, strict=True):
                assert torch.equal(torch.tensor(made[name]), values.flatten()), name


def broken_png() -> bytes:
    return png(data.astronaut())[:20_000]


def huge_png() -> bytes:
    """A few bytes that ask for 3.6 GB."""
    size = struct.pack(">II5B", 30_000, 30_000, 8, 2, 0, 0, 0)
    parts = b""
    for name, body in ((b"IHDR", size), (b"IDAT", zlib.compress(b"\0" * 999))):
        check = struct.pack(">I", zlib.crc32(name + body))
        parts += struct.pack(">I", len(body)) + name + body + check
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("half.png", broken_png, "“half.png” is a PNG file that cannot be read"),
        ("big.png", huge_png, "“big.png” has 900 megapixels; this page takes"),
        ("<b>.jpg", lambda: b"not a picture", "“<b>.jpg” is no picture"),
        ("none.webp", lambda: b"", "“none.webp” is empty."),
    ],
)
def test_bad_files_get_a_sentence(demo: Demo, name: str, content: Any, sentence: str):
    """And what was there stays, and can be enlarged to another size."""
    before = demo.pixels("network")
    demo.give(name, content())
    demo.page.wait_for_selector("#problem:not([hidden])")
    assert sentence in demo.page.inner_text("#problem")
    assert not difference(demo.pixels("network"), before)
    demo.enlarged(150, 200)


def test_cancel_leaves_a_page_that_goes_on(demo: Demo):
    demo.give("face.png", png(data.astronaut()[:300, :400]))
    demo.shown(400)
    demo.page.click("#cancel")
    demo.page.wait_for_function(
        "document.getElementById('status').textContent.startsWith('Cancelled')"
    )
    assert demo.page.get_attribute("#download", "aria-disabled") == "true"
    assert demo.page.is_hidden("#progress")
    demo.enlarged(310, 420)
    assert demo.page.get_attribute("#download", "aria-disabled") == "false"


def test_works_without_a_network(demo: Demo, context: Any):
    """After the first visit; and with threads, for which the page must be isolated."""
    assert demo.page.evaluate("crossOriginIsolated")
    context.set_offline(True)
    demo.page.reload()
    demo.finished()
    demo.enlarged(150, 200)


def test_keyboard_and_fingers(demo: Demo):
    """The corner by keys and by dragging, with proportions and without."""
    page = demo.page
    page.focus("#corner")
    width = int(page.input_value("#width"))
    page.keyboard.press("ArrowRight")
    assert int(page.input_value("#width")) == width + 10
    assert int(page.input_value("#height")) == round((width + 10) * 144 / 192)
    demo.finished()
    page.uncheck("#keep")
    height = int(page.input_value("#height"))
    box = page.locator("#corner").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 100, y - 30, steps=4)
    page.mouse.up()
    assert int(page.input_value("#width")) == width + 10 - 100
    assert int(page.input_value("#height")) == height - 30
    demo.finished()
    page.focus("#tab-enlarge")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#kernel") and page.is_hidden("#enlarge")
    page.focus("#scale-x")
    page.keyboard.press("End")
    page.wait_for_function(
        "document.getElementById('kernel-status').textContent"
        f".startsWith('4 {TIMES} 7 pixels become 5 {TIMES} 28.')"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing_serious(browser: Any, address: str, scheme: str, width: int):
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme
    )
    context.set_default_timeout(PATIENCE)
    demo = Demo(context.new_page(), address)
    demo.open()
    demo.give("x.txt", b"none")
    demo.page.wait_for_selector("#problem:not([hidden])")
    demo.page.evaluate(AXE.read_text())
    for tab in ("enlarge", "kernel"):
        demo.page.click(f"#tab-{tab}")
        found = demo.page.evaluate("axe.run()")["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert not serious, json.dumps(serious, indent=1)[:2000]
        wide = demo.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{tab} is {wide} pixels wide"
    context.close()
