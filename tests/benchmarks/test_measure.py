"""Times and memory are measured; what they are is not tested, for machines differ."""

import os
import subprocess
import sys
from functools import partial
from time import perf_counter as clock

import pytest
import torch
from torch import Tensor

from benchmarks.cases import Case
from benchmarks.check import compared
from benchmarks.contender import Contender
from benchmarks.contenders import contenders
from benchmarks.measure import alternate
from benchmarks.memory import MemoryMeter
from benchmarks.parts import PARTS
from training.allocator import KEPT, giving_back, is_kept

MEBI = 2**20


def doubled_by_a_detour(x: Tensor) -> Tensor:
    """Holds a tensor of 16 times the size beside its output."""
    return torch.ones(16, *x.shape).add_(x).sum(0)


def of_a_mebibyte(backward: bool = False) -> Contender:
    image = torch.randn(MEBI // 4)
    apply = torch.neg if backward else doubled_by_a_detour
    return Contender(apply, image, backward=backward)


@pytest.fixture(scope="module")
def meter() -> MemoryMeter:
    return MemoryMeter(threads=1)


def test_memory_sees_an_allocation(meter):
    """16 MiB beside the output of 1 MiB, which is not counted."""
    extra = meter.extra(of_a_mebibyte)
    if extra is None:
        pytest.skip("this system does not tell the peak memory of a process")
    assert abs(extra - 16 * MEBI) < 0.5 * MEBI


def test_memory_does_not_count_gradients(meter):
    """Negation holds its output and its gradient, and nothing else."""
    extra = meter.extra(partial(of_a_mebibyte, backward=True))
    if extra is None:
        pytest.skip("this system does not tell the peak memory of a process")
    assert extra < 0.5 * MEBI


def test_a_small_case_runs(meter):
    threads = torch.get_num_threads()
    makers = contenders(Case(2, 4, 12, (0.7, 1.3), backward=True))
    times = alternate({name: make() for name, make in makers.items()}, 3, 0.0)
    assert {"conv", "contconv", "factored"} <= set(times)
    for spread in times.values():
        assert 0 < spread["low"] <= spread["ms"] <= spread["high"]
    assert meter.extra(makers["contconv"]) is None or meter.threads == 1
    assert torch.get_num_threads() == threads


def test_slow_calls_take_part_less():
    counts = {"fast": 0, "slow": 0}

    def count(name: str, seconds: float) -> None:
        counts[name] += 1
        deadline = clock() + seconds
        while clock() < deadline:
            pass

    calls = {name: partial(count, name, s) for name, s in (("fast", 0), ("slow", 0.02))}
    alternate(calls, rounds=9, least=0.0, most=0.001)
    assert counts["slow"] == 2 + 3


def test_memory_is_given_back_only_inside():
    before = dict(os.environ)
    with giving_back():
        assert os.environ["MALLOC_TRIM_THRESHOLD_"] == "65536"
        assert not is_kept()
    assert dict(os.environ) == before


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")
def test_restarts_with_kept_memory():
    code = """
import os
from training.allocator import is_kept, restart_with_kept_memory
restart_with_kept_memory()
print(is_kept())
"""
    env = {name: value for name, value in os.environ.items() if name not in KEPT}
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )
    assert run.stdout.strip() == "True"


def test_compared_says_what_is_slower():
    def result(ms: float) -> dict[str, dict[str, dict[str, float]]]:
        return {"a case": {"contconv": {"ms": ms}, "conv": {"ms": 2.0}}}

    part = PARTS["cases"]
    (change,) = compared(result(4.0), result(3.0), part)
    assert change == ("a case", 1.5, 2.0) and not change.slower
    (change,) = compared(result(6.0), result(3.0), part)
    assert change == ("a case", 1.5, 3.0) and change.slower
    assert not list(compared({"new": {}}, result(3.0), part))
