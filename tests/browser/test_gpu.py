"""The demo on a GPU, by Chromium's in software: it is taken only where it is good."""

from collections.abc import Iterator
from typing import Any

import pytest
from skimage import data

from tests.browser.pages import (
    PATIENCE,
    ROOT,
    Demo,
    difference,
    expected,
    launched,
    png,
)

pytestmark = [pytest.mark.slow, pytest.mark.plain]

SOFTWARE = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")

# What `hasGpu` says of adapters in software.
REFUSED = "(software || !adapter.info?.isFallbackAdapter)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched(*SOFTWARE) as browser:
        yield browser


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page without the service worker, so that what it loads can be changed."""
    context = browser.new_context(service_workers="block")
    # A GPU in software takes minutes on a busy machine.
    context.set_default_timeout(4 * PATIENCE)
    # What is no page of ours names no icon, and the browser looks for one.
    context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    page = context.new_page()
    page.goto(f"{address}/demo/style.css")
    if not page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
        pytest.skip("NOT TRIED: this browser has no WebGPU in software")
    yield page
    context.close()


def enlarged_right(demo: Demo, said: str) -> None:
    """A small picture is enlarged as Python does it, by what the page says."""
    demo.page.wait_for_function(
        "(said) => document.getElementById('about').textContent.includes(said)",
        arg=said,
    )
    pixels = data.coffee()[100:124, 200:220].copy()
    demo.give("small.png", png(pixels))
    demo.shown(20)
    demo.enlarged(65, 31)
    network, cubic = expected(pixels, (65, 31))
    assert difference(demo.pixels("network"), network) <= 1
    assert difference(network, cubic) > 5


def test_webgpu_equals_python(page: Any, address: str):
    demo = Demo(page, address)
    page.goto(f"{address}/demo/?backend=webgpu")
    enlarged_right(demo, "on the GPU (WebGPU)")
    assert not demo.errors


def test_software_is_no_gpu_unless_it_is_asked_for(page: Any, address: str):
    """And nothing is loaded for one."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    demo = Demo(page, address)
    page.goto(f"{address}/demo/")
    enlarged_right(demo, "on 1 thread of the processor")
    assert any(".wasm" in url for url in asked)
    assert not [url for url in asked if "webgpu" in url or "asyncify" in url]


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("differs from the processor by", {REFUSED: "true", "1 / 255": "-1"}),
        ("is slower than the processor", {REFUSED: "true"}),
        ("cannot be used", {REFUSED: "true"}),
    ],
)
def test_the_processor_takes_over(
    page: Any, address: str, reason: str, changes: dict[str, str]
):
    """Where a GPU errs, dawdles or fails."""
    script = (ROOT / "docs" / "demo" / "js" / "gpu.js").read_text()
    for old, new in changes.items():
        assert script.count(old) == 1
        script = script.replace(old, new)
    kind = "text/javascript"
    page.route("**/gpu.js", lambda one: one.fulfill(body=script, content_type=kind))
    if reason == "cannot be used":
        page.route("**/ort.webgpu.min.mjs", lambda one: one.abort())
    warned: list[str] = []
    page.on("console", lambda message: warned.append(message.text))
    demo = Demo(page, address)
    page.goto(f"{address}/demo/")
    enlarged_right(demo, "on 1 thread of the processor")
    assert [text for text in warned if "WebGPU" in text and reason in text]
