"""The benchmarks on a GPU: all that needs none."""

import pytest
import torch

from benchmarks import ceilings, gpu
from benchmarks.__main__ import app
from benchmarks.cases import Case
from benchmarks.contender import Contender

CEILINGS = ceilings.Ceilings({"float32": 50.0, "tf32": 400.0, "bfloat16": 800.0}, 2e3)


def fake(call, repeats: int) -> float:
    """A clock by which each call takes a millisecond."""
    for _ in range(repeats):
        call()
    return 1e-3


def test_refuses_without_a_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    expected = "^error: this PyTorch sees no CUDA device; `benchmarks cuda` needs one$"
    with pytest.raises(SystemExit, match=expected):
        app("cuda")


def test_jobs_are_well_formed():
    names = [job.name for job in gpu.JOBS]
    assert len(set(names)) == len(names)
    assert {job.precision for job in gpu.JOBS} == {"float32", "tf32", "bfloat16"}
    assert 2 <= len(gpu.QUICK) < len(gpu.JOBS)
    assert {job.case.backward for job in gpu.JOBS} == {True, False}
    for job in gpu.JOBS:
        assert (job.case.dtype == "bfloat16") == (job.precision == "bfloat16")
    forward, backward = (
        gpu.Job(Case(2, 4, 6, "1/2", backward=wanted)) for wanted in (False, True)
    )
    assert forward.name == "2 x 4 to 4, 6 px, 1/2, k 3, forward, tf32, channels-last"
    assert forward.multiply_adds == 2 * 4 * 4 * 9 * 3 * 3
    assert backward.multiply_adds == 3 * forward.multiply_adds


def test_measure():
    """On a CPU, by a fake clock: what it makes of the times."""
    jobs = [
        gpu.Job(Case(2, 4, 12, 0.7391, backward=wanted)) for wanted in (False, True)
    ]
    before = torch.backends.cuda.matmul.fp32_precision
    result = gpu.measure(jobs, CEILINGS, 3, fake, "cpu")
    assert torch.backends.cuda.matmul.fp32_precision == before
    assert list(result) == [job.name for job in jobs]
    for job, times in zip(jobs, result.values(), strict=True):
        assert {"conv", "interpolate + conv", "contconv", "factored"} <= set(times)
        assert "reference" not in times
        for spread in times.values():
            assert spread["ms"] == pytest.approx(1)
            tflops = 2 * job.multiply_adds / 1e9
            assert spread["tflops"] == pytest.approx(tflops)
            assert spread["of_matmul"] == pytest.approx(tflops / 400)
            assert spread["of_copy"] == pytest.approx(spread["gbytes"] / 2e3)
    numbers = 2 * 4 * (12 * 12 + 9 * 9)
    gbytes = result[jobs[0].name]["contconv"]["gbytes"]
    assert gbytes == pytest.approx(4 * numbers / 1e6)


def test_layout():
    for last in (True, False):
        job = gpu.Job(Case(2, 4, 12, 0.7391), channels_last=last)
        image = gpu.prepared(job, "conv").image
        assert image.is_contiguous(memory_format=torch.channels_last) == last


def test_nothing_is_timed_unless_engines_agree():
    image = torch.ones(1, 2, 3, 3)
    calls = {
        "contconv": Contender(torch.neg, image),
        "fused": Contender(torch.abs, image),
        "factored": Contender(torch.neg, image),
    }
    with pytest.raises(AssertionError, match=r"fused and factored differ by 2\.0e\+00"):
        gpu.check_agreement(gpu.Job(Case(1, 2, 3, "1")), calls)
    calls["fused"] = Contender(torch.neg, image)
    gpu.check_agreement(gpu.Job(Case(1, 2, 3, "1")), calls)


def test_ceilings():
    found = ceilings.measured(fake, gpu.products_in, "cpu", side=8, copied=100)
    assert found.tflops == dict.fromkeys(("float32", "tf32", "bfloat16"), 1024 / 1e9)
    assert found.gbytes == pytest.approx(800 / 1e6)
