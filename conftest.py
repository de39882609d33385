"""What every test and doctest finds."""

from collections.abc import Iterator

import pytest
import torch

import contconv
from contconv import kernels


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
