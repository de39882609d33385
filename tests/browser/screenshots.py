"""Pictures of every page of the documentation, to look at.

`python -m tests.browser.screenshots FOLDER [PART OF A NAME ...]` takes them at 1400 and
at 390 pixels, light and dark, and prints heights.
"""

import sys
from pathlib import Path

from tests.browser.pages import PATIENCE, ROOT, Demo, launched, served

SITE = ROOT / "docs" / "_build" / "html"
# It begins with a picture, and is loaded twice for that.
DEMO = Path("demo", "index.html")


def main(folder: Path, names: list[str]) -> None:
    """Take those of the pages that have one of the names, or of all."""
    folder.mkdir(parents=True, exist_ok=True)
    places = [path.relative_to(SITE) for path in sorted(SITE.rglob("*.html"))]
    places = [p for p in places if p.parts[0][0] != "_"]
    places = [p for p in places if not names or any(n in str(p) for n in names)]
    with launched() as browser, served(SITE) as address:
        for width in (1400, 390):
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    viewport={"width": width, "height": 900}, color_scheme=scheme
                )
                context.set_default_timeout(PATIENCE)
                page = context.new_page()
                for place in places:
                    page.goto(f"{address}/{place.as_posix()}", wait_until="load")
                    if place == DEMO:
                        Demo(page, address).finished()
                    height = page.evaluate("document.documentElement.scrollHeight")
                    print(f"{width} {scheme:5} {height:6} {place}", flush=True)
                    name = f"{'_'.join(place.with_suffix('').parts)}-{width}-{scheme}"
                    page.screenshot(path=folder / f"{name}.png", full_page=True)
                context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
