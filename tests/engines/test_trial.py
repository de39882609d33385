"""Trials of an engine that fails: on a CPU, where it can be watched."""

import itertools
import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from contconv import ContinuousConv2d, engines, explain
from contconv.engines import ENGINES, trial
from contconv.engines.factored import engine as factored
from contconv.engines.native import engine as native
from contconv.engines.problem import Cost
from contconv.engines.trial import Kind

BOTH = (False, True)


def raising(problem):
    raise RuntimeError("PTX was compiled with an unsupported toolchain")


def wrong_gradient(problem):
    """The output is right, the gradient to the head off by a tenth."""
    head = problem.kernel.head
    if head.requires_grad:
        head.register_hook(lambda gradient: 1.1 * gradient)
    return factored.apply(problem)


FAULTS = {
    "raises": (raising, "RuntimeError: PTX was compiled"),
    "wrong": (lambda problem: 1.1 * factored.apply(problem), "the output is off by"),
    "gradient": (wrong_gradient, "the gradient to the head is off by"),
    "NaN": (lambda problem: factored.apply(problem) * torch.nan, "off by nan"),
}


def engine(apply) -> Any:
    """One that `auto` would take at once."""
    cost = Cost(0, 0, -1.0)
    return SimpleNamespace(
        __doc__="Broken.", unsupported=lambda _: [], cost=lambda _: cost, apply=apply
    )


@pytest.fixture(autouse=True)
def untried(monkeypatch):
    monkeypatch.setattr(trial, "_failures", {})
    monkeypatch.setattr(native, "unsupported", lambda _: ["left out"])


@pytest.mark.parametrize("fault", FAULTS)
def test_auto_takes_another_and_says_so_once(fault, monkeypatch):
    apply, words = FAULTS[fault]
    broken = engine(apply)
    monkeypatch.setitem(ENGINES, "fused", broken)
    monkeypatch.setattr(engines, "fused_engine", broken)
    layer, image = ContinuousConv2d(4, 4, 3, scale=0.7391), torch.randn(1, 4, 9, 9)
    with pytest.warns(RuntimeWarning, match=f"failed its trial on cpu.*{words}"):
        out = layer(image)
    expected = ContinuousConv2d.forward(layer, image)
    torch.testing.assert_close(out, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(image).sum().backward()
    reasons = explain(image, layer.kernel, scale=0.7391).engines["fused"].reasons
    assert words in reasons[0]


def scaled_if(condition):
    """An engine that is wrong by a tenth for some problems."""

    def apply(problem):
        return factored.apply(problem) * (1.1 if condition(problem) else 1)

    return apply


def wrong_gradient_of_the_basis(problem):
    for name, parameter in problem.kernel.named_parameters():
        if name != "head" and parameter.requires_grad:
            parameter.register_hook(lambda gradient: 1.1 * gradient)
    return factored.apply(problem)


HALVES = (torch.bfloat16, torch.float16)
OF_A_KIND = {
    "16 bits": (scaled_if(lambda one: one.image.dtype in HALVES), {"dtype": HALVES}),
    "groups": (scaled_if(lambda one: one.groups > 1), {"grouped": (True,)}),
    "basis": (
        wrong_gradient_of_the_basis,
        {"separable": (False,), "learns": (True,), "dtype": (torch.float32,)},
    ),
}


@pytest.mark.parametrize("fault", OF_A_KIND)
def test_what_is_wrong_for_one_kind_is_noticed(fault):
    apply, kinds = OF_A_KIND[fault]
    options = {"separable": BOTH, "learns": BOTH, "dtype": (torch.float32,), **kinds}
    for values in itertools.product(*options.values()):
        kind = Kind("cpu", **dict(zip(options, values, strict=True)))
        with pytest.warns(RuntimeWarning, match="is off by"):
            assert trial.failure("broken", engine(apply), kind)


def test_a_right_engine_passes_every_kind():
    dtypes = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
    for dtype, *others in itertools.product(dtypes, BOTH, BOTH, BOTH):
        kind = Kind("cpu", dtype, *others)
        assert trial.failure("factored", factored, kind) is None


def test_leaves_the_random_numbers_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    trial.failure("factored", factored, Kind("cpu", torch.float32, True, True))
    assert torch.equal(torch.rand(3), expected)
