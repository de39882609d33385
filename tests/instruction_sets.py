"""The library's instruction sets, and the threads that it takes, changed and put back.

To be imported where the library is: `contconv.engines.native.library.missing`.
"""

import ctypes
from collections.abc import Iterator

import contconv_native
import pytest
import torch


def use(name: str) -> int:
    """Take an instruction set from now on; 1 if this CPU lacks it."""
    return ctypes.CDLL(str(contconv_native.path())).contconv_native_use(name.encode())


USUAL = contconv_native.instruction_set()
SETS = [name for name in contconv_native.compiled_sets() if use(name) == 0]
use(USUAL)


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each that this CPU has."""
    assert use(request.param) == 0
    yield request.param
    use(USUAL)


@pytest.fixture
def threads() -> Iterator[None]:
    """The number of threads, put back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
