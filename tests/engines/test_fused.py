"""The fused engine without a GPU: interpreted, compiled, refused; and chosen.

`interpreted` and `compiled` run in processes of their own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._subclasses import FakeTensorMode

from contconv import continuous_conv, explain
from contconv.engines import ENGINES, Problem, choose, trial
from contconv.engines.fused import engine as fused
from contconv.functional.call import as_call
from contconv.kernels import CosineKernel
from tests.engines.compiled_for_gpus import LAUNCHES
from tests.engines.in_triton_interpreter import CHECKS

ROOT = Path(__file__).parents[2]

# Bytes of shared memory that a program may have; on sm_80's smaller relatives 99 KiB.
SHARED = {80: 99 * 1024, 90: 227 * 1024}


def batches(names: Iterable[str], quick: list[str], count: int) -> list[Any]:
    """A process takes seconds to start, so that each has several names to run."""
    others = [name for name in names if name not in quick]
    slow = [
        pytest.param(others[i::count], marks=pytest.mark.slow) for i in range(count)
    ]
    return [quick, *slow]


BATCHES = batches(CHECKS, ["tiles_of_channels", "grids_from_the_first_pixel"], 4)
COMPILATIONS = batches(LAUNCHES, ["forward, bfloat16", "to head, bfloat16"], 3)


def python(module: str, names: list[str], **environment: str) -> str:
    """What a module prints in a process of its own; it has to succeed."""
    if find_spec("triton") is None:
        pytest.skip("triton is not installed: pip install 'contconv[cuda]'")
    run = subprocess.run(
        [sys.executable, "-m", f"tests.engines.{module}", *names],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        check=False,
    )
    assert run.returncode == 0, run.stdout[-300:] + run.stderr[-3000:]
    return run.stdout


@pytest.mark.parametrize("names", BATCHES, ids=", ".join)
def test_interpreted(names):
    """Output and gradients of the reference, on a CPU."""
    assert python("in_triton_interpreter", names, TRITON_INTERPRET="1").split() == names


@pytest.mark.parametrize("names", COMPILATIONS, ids="; ".join)
def test_compiled(names, tmp_path):
    """Tensor cores; nothing spilled; little enough shared memory."""
    lines = python(
        "compiled_for_gpus", names, TRITON_CACHE_DIR=str(tmp_path)
    ).splitlines()
    results = [json.loads(line) for line in lines]
    seen = {(result["name"], result["sm"]) for result in results}
    assert seen == {(name, architecture) for name in names for architecture in SHARED}
    for result in results:
        assert result["wgmma"] or result["mma"], result
        assert result["spilled"] == 0, result
        assert result["shared"] <= SHARED[result["sm"]], result


def problem(
    image: torch.Tensor, scale: float = 0.7391, channels: int = 64, k: int = 3
) -> Problem:
    device = torch.device("meta") if image.device.type == "cuda" else image.device
    kernel = CosineKernel(channels, channels, (k, k), device=device)
    shown = torch.empty(image.shape, dtype=image.dtype, device=device)
    return Problem(image, kernel, as_call(shown, kernel, scale=scale).grid, 1)


def test_refuses_with_reasons(monkeypatch):
    image = torch.randn(1, 4, 5, 6, dtype=torch.float64)
    kernel = CosineKernel(4, 2, (3, 3), dtype=torch.float64)
    monkeypatch.setattr(fused, "_is_installed", lambda: False)
    expected = (
        "'fused' cannot run this: triton is not installed; needs a CUDA tensor, got "
        "one on cpu; needs float32, bfloat16 or float16, got float64"
    )
    with pytest.raises(ValueError, match=expected):
        continuous_conv(image, kernel, engine="fused")
    reasons = explain(image.to("meta"), kernel).engines["fused"].reasons
    assert "; ".join(reasons) in expected


def test_refuses_old_devices(monkeypatch):
    properties = SimpleNamespace(major=7, minor=5)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda _: properties)
    expected = ["needs compute capability 8.0 or later, got 7.5"]
    assert fused._too_old(torch.device("cuda")) == expected
    properties.major = 9
    assert fused._too_old(torch.device("cuda")) == []


def chosen(image: torch.Tensor, scale: float, channels: int = 64) -> str:
    engine, _ = choose(problem(image, scale, channels), "auto")
    return next(name for name, one in ENGINES.items() if one is engine)


def test_is_chosen_on_a_gpu(monkeypatch):
    """Any scale; but of few phases, the convolutions of cuDNN."""
    properties = SimpleNamespace(major=9, minor=0, total_memory=2**37)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda _: properties)
    monkeypatch.setattr(trial, "failure", lambda *_: None)
    with FakeTensorMode():
        image = torch.empty(16, 64, 64, 64, device="cuda")
        assert chosen(image, 0.7391) == chosen(image, 1.7391) == "fused"
        assert chosen(image, 1) == chosen(image, 0.5) == chosen(image, 2) == "periodic"


def test_is_not_chosen_elsewhere():
    image = torch.empty(16, 64, 64, 64, device="meta")
    assert chosen(image, 0.7391) != "fused"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_on_a_gpu(dtype):
    """At most twice the reference's own error."""
    image = torch.randn(4, 48, 33, 29, dtype=dtype, device="cuda")
    kernel = CosineKernel(48, 80, (3, 3), dtype=dtype, device="cuda")
    with torch.no_grad():
        actual, baseline = (
            continuous_conv(image, kernel, scale=0.7391, engine=name).double()
            for name in ("fused", "reference")
        )
        truth = continuous_conv(image.double(), kernel.double(), scale=0.7391)
    error, allowed = (actual - truth).abs().max(), (baseline - truth).abs().max()
    assert error <= 2 * allowed
