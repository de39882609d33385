"""The committed record of the benchmarks is of the cases as they stand."""

import torch

from benchmarks.__main__ import RESULTS, ratio
from benchmarks.cases import CASES, QUICK, Case
from benchmarks.contenders import contenders
from benchmarks.measure import alternate
from contconv._grid import AxisGrid
from contconv._scale import as_ratios, resized_axes
from contconv.engines import ENGINES, Problem, choose
from contconv.kernels import CosineKernel
from experiments import _record


def test_record_has_every_case():
    record = _record.read(RESULTS / "cpu.json")
    assert list(record["result"]) == [case.name for case in CASES]
    assert record["commit"] and record["torch"] and record["threads"]
    for times in record["result"].values():
        assert {"conv", "contconv", "interpolate + conv"} <= set(times)
        assert ratio(times, "conv") == 1
        for spread in times.values():
            assert 0 < spread["low"] <= spread["ms"] <= spread["high"]


def test_the_choice_is_nearly_the_best():
    """By the record: within 1.3 times the fastest engine in 9 of 10 cases."""
    record = _record.read(RESULTS / "cpu.json")["result"]
    cases = [c for c in CASES if not c.backward and c.dtype == "float32"]
    good = 0
    for case in cases:
        times = {name: record[case.name][name]["ms"] for name in _able(case)}
        good += times[_picked(case)] <= 1.3 * min(times.values())
    assert good >= 0.9 * len(cases)


def _problem(case: Case) -> Problem:
    out_channels = case.out_channels or case.channels
    kernel = CosineKernel(case.channels, out_channels, (case.kernel_size,) * 2)
    image = torch.empty(case.batch, case.channels, case.size, case.size)
    ratios = as_ratios(case.ratio, 2)
    axes = resized_axes((case.size,) * 2, kernel.kernel_size, ratios, None)
    return Problem(image, kernel, AxisGrid(axes, "zeros"), 1)


def _able(case: Case) -> list[str]:
    problem = _problem(case)
    fast = [name for name in ENGINES if name != "reference"]
    return [name for name in fast if not ENGINES[name].unsupported(problem)]


def _picked(case: Case) -> str:
    chosen, _ = choose(_problem(case), "auto")
    return next(name for name, engine in ENGINES.items() if engine is chosen)


def test_quick_cases_are_among_them():
    assert set(QUICK) <= set(CASES)
    assert len({case.name for case in CASES}) == len(CASES)


def test_a_small_case_runs():
    threads = torch.get_num_threads()
    case = Case(2, 4, 12, (0.7, 1.3), backward=True)
    times = alternate(contenders(case), rounds=3, least=0.0)
    assert {"conv", "contconv", "factored"} <= set(times)
    assert torch.get_num_threads() == threads
