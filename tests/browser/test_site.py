"""The documentation as it was built: how far, how heavy, how tall, and for whom."""

import json
from collections import deque
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

from tests.browser.pages import AXE, PATIENCE, ROOT, served

pytestmark = [pytest.mark.slow, pytest.mark.plain]

SITE = ROOT / "docs" / "_build" / "html"
# What `make site` puts beside it.
DEMO = "demo/"
# Pages on which axe looks for what keeps people out.
LOOKED_AT = (
    "index.html",
    "api.html",
    "api/contconv.ContinuousConv2d.html",
    "equations.html",
    "gallery_examples/plot_convert.html",
    "speed_cases.html",
)
MOST_BYTES, MOST_PIXELS = 1_500_000, 15_000


class Page(HTMLParser):
    """The links of a page, what it shows, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.shown: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")
        if tag in ("img", "script", "source") and found.get("src"):
            self.shown.append(found["src"] or "")
        if name := found.get("id"):
            self.anchors.add(name)


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    """Every page, by its place."""
    if not (SITE / "index.html").exists():
        pytest.skip("NOT TRIED: the documentation is not built; run make docs")
    paths = [p for p in SITE.rglob("*.html") if p.relative_to(SITE).parts[0][0] != "_"]
    places = {path.relative_to(SITE).as_posix(): path for path in paths}
    return {k: Page(p) for k, p in places.items() if not k.startswith(DEMO)}


@pytest.fixture(scope="module")
def address(pages: dict[str, Page]) -> Iterator[str]:
    with served(SITE) as address:
        yield address


def patient(browser: Any, **options: Any) -> Any:
    """A context of the browser that waits for a busy machine."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    return context


def inside(place: str, link: str) -> tuple[str, str] | None:
    """The page and the anchor that a link leads to; None if it leaves the site."""
    if urlsplit(link).scheme or link.startswith("//"):
        return None
    target, anchor = urldefrag(urljoin(f"/{place}", link))
    target = unquote(target).lstrip("/") or "index.html"
    return (target + "index.html" if target.endswith("/") else target), unquote(anchor)


def test_no_link_is_dead(pages):
    dead = []
    for place, page in pages.items():
        for link in page.links + page.shown:
            found = inside(place, link.partition("?")[0])
            if found is None or found[0].startswith(DEMO):
                continue
            target, anchor = found
            known = target in pages and anchor in {"", *pages[target].anchors}
            if not known and not (target not in pages and (SITE / target).is_file()):
                dead.append((place, link))
    assert not dead


def test_install_examples_and_api_are_two_clicks_away(pages):
    """From every page, by links that are on it."""
    links = {
        place: {found[0] for link in page.links if (found := inside(place, link))}
        for place, page in pages.items()
    }
    doors = ("install.html", "gallery_examples/plot_any_scale.html", "api.html")
    for door in doors:
        steps = {door: 0}
        queue = deque(steps)
        while queue:
            target = queue.popleft()
            for place in links:
                if place not in steps and target in links[place]:
                    steps[place] = steps[target] + 1
                    queue.append(place)
        far = {place for place in pages if steps.get(place, 9) > 2}
        assert not far, door


@pytest.mark.parametrize("width", [1400, 390])
def test_no_page_is_heavy_or_tall_or_needs_others(browser, address, pages, width):
    context = patient(browser, viewport={"width": width, "height": 900})
    elsewhere: list[str] = []
    sizes: list[int] = []
    page = context.new_page()
    page.route("**/*", lambda route: _own(route, address, elsewhere))
    page.on("response", lambda answer: sizes.append(_length(answer)))
    wrong = {}
    for place in pages:
        sizes.clear()
        page.goto(f"{address}/{place}", wait_until="load")
        measured = page.evaluate(
            "(({scrollHeight: tall, scrollWidth: wide}) => [tall, wide])"
            "(document.documentElement)"
        )
        height, across = measured
        if height > MOST_PIXELS or sum(sizes) > MOST_BYTES or across > width:
            wrong[place] = (height, sum(sizes), across)
    context.close()
    assert not wrong
    assert not elsewhere


def _own(route: Any, address: str, elsewhere: list[str]) -> None:
    url = route.request.url
    if url.startswith((address, "data:")):
        route.continue_()
    else:
        elsewhere.append(url)
        route.abort()


def _length(answer: Any) -> int:
    return int(answer.headers.get("content-length", 0))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_keeps_people_out(browser, address, width, scheme):
    """Of what axe calls serious or worse."""
    if not AXE.exists():
        pytest.skip("NOT TRIED: axe-core is not there; run make site")
    size = {"width": width, "height": 900}
    context = patient(browser, viewport=size, color_scheme=scheme)
    page, found = context.new_page(), []
    for place in LOOKED_AT:
        page.goto(f"{address}/{place}", wait_until="load")
        page.add_script_tag(path=str(AXE))
        result = page.evaluate("axe.run()")
        found += [
            (place, one["id"], [node["html"][:120] for node in one["nodes"]][:3])
            for one in result["violations"]
            if one["impact"] in ("serious", "critical")
        ]
    context.close()
    assert not found, json.dumps(found, indent=1)


def test_copied_code_has_no_prompts(browser, address):
    context = patient(browser)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{address}/index.html", wait_until="load")
    button = page.locator("div.doctest button.copybtn, div.highlight button.copybtn")
    button.first.scroll_into_view_if_needed()
    button.first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    context.close()
    assert (
        "import torch" in copied and ">>>" not in copied and "torch.Size" not in copied
    )


def test_formulas_are_set_without_the_network(browser, address):
    """All of them: what KaTeX cannot read, it leaves as it is."""
    context = patient(browser)
    page, elsewhere = context.new_page(), []
    page.route("**/*", lambda route: _own(route, address, elsewhere))
    for place in ("equations.html", "api/contconv.continuous_conv.html"):
        page.goto(f"{address}/{place}", wait_until="load")
        page.wait_for_selector(".katex-html")
        assert page.locator(".math:not(:has(.katex-html))").count() == 0, place
        assert page.evaluate("document.fonts.check('16px KaTeX_Main')")
    context.close()
    assert not elsewhere
