"""How long the demo takes for 512 x 512 pixels by 2.7, and for another size after it.

    make site && .venv/bin/python -m tests.browser.measure

On a machine with nothing else to do. Prints seconds for one thread and for all, and the
processor time of the page, which another load changes less.
"""

import statistics
from typing import Any

from skimage import data

from tests.browser.pages import ROOT, Demo, launched, png, served

TURNS = 3


def main() -> None:
    """Measure the demo in ``docs/_build/html``."""
    with launched() as browser, served(ROOT / "docs" / "_build" / "html") as address:
        for query in ("?backend=wasm&threads=1", "?backend=wasm"):
            measure(browser, address, query)


def measure(browser: Any, address: str, query: str) -> None:
    """Print what one way of computing takes."""
    page = browser.new_page()
    page.set_default_timeout(600_000)
    demo = Demo(page, address)
    page.goto(f"{address}/demo/{query}")
    demo.finished()
    print(page.inner_text("#about"))
    times: dict[str, list[tuple[float, float]]] = {"first": [], "another size": []}
    for turn in range(TURNS):
        pixels = data.astronaut().copy()
        pixels[0, 0] = turn  # another picture, whose features are not kept
        page.evaluate("document.getElementById('status').textContent = ''")
        before = processor_time(browser)
        demo.give("face.png", png(pixels))  # enlarged by 2.7 at once
        record(times["first"], demo.finished(), browser, before)
        before = processor_time(browser)
        record(times["another size"], demo.enlarged(1000, 1000), browser, before)
    for name, found in times.items():
        wall, processor = (statistics.median(one) for one in zip(*found, strict=True))
        print(f"{name}: {wall:.1f} s, {processor:.1f} s of processors")
    page.close()


def record(
    times: list[tuple[float, float]], said: str, browser: Any, before: float
) -> None:
    """Keep what the page says, and the time of processors since ``before``."""
    seconds = float(said.partition(" pixels in ")[2].partition(" s")[0])
    times.append((seconds, processor_time(browser) - before))


def processor_time(browser: Any) -> float:
    """Seconds of processors that all pages have taken."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return sum(one["cpuTime"] for one in found if one["type"] == "renderer")


if __name__ == "__main__":
    main()
