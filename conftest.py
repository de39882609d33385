"""What every test and doctest finds."""

from collections.abc import Iterator

import hypothesis
import pytest
import torch

import contconv
from contconv import kernels

# The same examples in every run; without limits of time, which a busy machine breaks.
EXAMPLES = {"few": 25, "many": 250}
for _name, _count in EXAMPLES.items():
    hypothesis.settings.register_profile(
        _name, max_examples=_count, derandomize=True, deadline=None
    )
hypothesis.settings.load_profile("few")

# A program, which a test runs; importing it takes Ray along.
collect_ignore = ["tests/examples/workers_that_die.py"]


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out, under the shape checks, what has to run without them."""
    if config.getoption("jaxtyping_packages"):
        plain = [item for item in items if item.get_closest_marker("plain")]
        config.hook.pytest_deselected(items=plain)
        items[:] = [item for item in items if item not in plain]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was left out for want of data."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = {str(report.longrepr[2]) for report in skipped}
    for reason in sorted(reason for reason in reasons if "NOT TRIED" in reason):
        terminalreporter.write_line(reason.removeprefix("Skipped: "), yellow=True)


@pytest.fixture(autouse=True)
def poisoned_memory() -> Iterator[None]:
    """Fill uninitialised tensors with NaN, so a pixel no engine writes cannot pass."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    """Let every test draw the same numbers, alone or in company."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def public_names(doctest_namespace: dict[str, object]) -> None:
    """Let examples use torch and the public names without imports."""
    doctest_namespace["torch"] = torch
    for module in (contconv, kernels):
        doctest_namespace.update(
            {name: value for name, value in vars(module).items() if name[0] != "_"}
        )
