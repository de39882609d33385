"""What the tests of pages share: a browser, and the demo on a server."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.pages import built, launched, served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(
    browser: Any, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[str]:
    base = tmp_path_factory.getbasetemp()
    with served(built(base if worker_id == "master" else base.parent)) as address:
        yield address
