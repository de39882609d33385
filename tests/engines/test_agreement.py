"""All engines agree with the reference, in output and in every gradient."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from contconv import continuous_conv
from contconv._grid.grid import AxisGrid, resized_axes
from contconv._grid.padding import PADDING_MODES
from contconv._grid.ratio import as_ratios
from contconv.engines import ENGINES, Problem
from contconv.kernels import ContinuousKernel, CosineKernel
from tests.cases import CASES, HERE, Case, refusal

FAST = [name for name in HERE if name != "reference"]


def build(case: Case, dtype: torch.dtype) -> tuple[Tensor, ContinuousKernel, dict]:
    """The image and the kernel of a case, and its options with points that learn."""
    image = torch.randn(case.image, dtype=dtype, requires_grad=True)
    options: dict[str, Any] = dict(case.options)
    if "points" in options:
        points = options["points"].to(torch.promote_types(dtype, torch.float32))
        options["points"] = points.requires_grad_()
    return image, case.kernel(dtype), options


# Every case with two modes, by turns; with all those whose windows go farthest beyond
# the image. More of both: tests/functional/test_properties.py.
OUTSIDE = ("mixed", "tiny", "points each")
MODES = {
    (name, PADDING_MODES[(i + shift) % len(PADDING_MODES)])
    for i, name in enumerate(CASES)
    for shift in (range(len(PADDING_MODES)) if name in OUTSIDE else (0, 2))
}


@pytest.mark.parametrize("name, mode", sorted(MODES))
def test_output_and_gradients(name, mode):
    """Of all engines that take the case."""
    image, kernel, options = build(CASES[name], torch.float64)
    options["padding_mode"] = mode
    leaves = [image, *kernel.parameters()]
    if "points" in options:
        leaves.append(options["points"])
    expected = continuous_conv(image, kernel, **options, engine="reference")
    probe = torch.randn_like(expected)
    gradients = torch.autograd.grad(expected, leaves, probe)
    for engine in accepting(image, kernel, options):
        actual = continuous_conv(image, kernel, **options, engine=engine)
        check = partial(
            torch.testing.assert_close, msg=partial("{}: {}".format, engine)
        )
        check(actual, expected)
        check(torch.autograd.grad(actual, leaves, probe), gradients)


def accepting(image: Tensor, kernel: ContinuousKernel, options: dict) -> list[str]:
    """The fast engines that do not refuse."""
    return [name for name in FAST if not refusal(name, image, kernel, options)]


def worst(actual: Tensor, truth: Tensor) -> float:
    return (actual.double() - truth).abs().max().item()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@torch.no_grad()
def test_low_precision(dtype):
    """At most twice the reference's own error in that dtype."""
    for name in (name for name in CASES if name != "empty"):
        image, kernel, options = build(CASES[name], dtype)
        engines = accepting(image, kernel, options)
        outputs = [
            continuous_conv(image, kernel, **options, engine=engine)
            for engine in ("reference", *engines)
        ]
        truth = continuous_conv(
            image.double(), kernel.double(), **options, engine="reference"
        )
        assert {out.dtype for out in outputs} == {dtype}
        allowed, *errors = (worst(out, truth) for out in outputs)
        for engine, error in zip(engines, errors, strict=True):
            assert error <= 2 * allowed, (name, engine, error, allowed)


@pytest.mark.parametrize("name", [name for name in CASES if name != "empty"])
def test_gradients_in_float32(name):
    """Where products go by oneDNN, with derivatives of our own: those of float64."""
    image, kernel, options = build(CASES[name], torch.float32)
    doubled = copy.deepcopy(kernel).double()
    exact = {k: v.double() if k == "points" else v for k, v in options.items()}
    expected = continuous_conv(image.double(), doubled, **exact, engine="reference")
    probe = torch.randn_like(expected)
    of_float64 = torch.autograd.grad(expected, [image, *doubled.parameters()], probe)
    for engine in ("reference", *accepting(image, kernel, options)):
        actual = continuous_conv(image, kernel, **options, engine=engine)
        leaves = [image, *kernel.parameters()]
        gradients = torch.autograd.grad(actual, leaves, probe.float())
        for found, truth in zip(gradients, of_float64, strict=True):
            apart = worst(found, truth.double()) / truth.abs().max().item()
            assert apart < 1e-4, (engine, apart)


@pytest.mark.parametrize("engine", HERE)
def test_engine_accepts_some_case(engine):
    """A skip may not hide an engine."""
    problems = [build(case, torch.float64) for case in CASES.values()]
    assert any(not refusal(engine, *problem) for problem in problems)


@pytest.mark.parametrize("engine", ENGINES)
def test_cost_grows_with_the_problem(engine):
    """Twice the pixels, at most twice the multiply-adds; and never less memory.

    What is computed once for all pixels, as a filter, is not done twice.
    """
    costs = []
    for height in (256, 512):
        image, kernel, _ = build(
            Case((1, 2, height, 8), CASES["ties"].kernel, {}), torch.float64
        )
        axes = resized_axes((height, 8), kernel.kernel_size, as_ratios(0.5, 2), None)
        problem = Problem(image, kernel, AxisGrid(axes, "zeros"), 1)
        costs.append(ENGINES[engine].cost(problem))
    assert 1 < costs[1].multiply_adds / costs[0].multiply_adds <= 2
    assert costs[1].memory >= costs[0].memory


def test_auto_takes_the_cheapest(monkeypatch):
    """With many channels no weights are formed: the reference must not be asked."""
    kernel = CosineKernel(16, 16, (3, 3))

    def fail(problem: Problem) -> Tensor:
        raise AssertionError("the reference engine was chosen")

    monkeypatch.setattr(ENGINES["reference"], "apply", fail)
    continuous_conv(torch.randn(1, 16, 12, 12), kernel, scale=0.7391)


def test_refusal_names_the_reasons(monkeypatch):
    monkeypatch.setattr(
        ENGINES["factored"], "unsupported", lambda problem: ["it is Monday", "it rains"]
    )
    image, kernel, options = build(CASES["irrational"], torch.float64)
    with pytest.raises(
        ValueError, match="'factored' cannot run this: it is Monday; it rains"
    ):
        continuous_conv(image, kernel, **options, engine="factored")
    expected = continuous_conv(image, kernel, **options, engine="reference")
    torch.testing.assert_close(continuous_conv(image, kernel, **options), expected)
