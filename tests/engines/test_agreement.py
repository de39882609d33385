"""All engines agree with the reference, in output and in every gradient."""

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
from tests.cases import CASES, HERE, Case, refusal, skip_refused

FAST = [name for name in HERE if name != "reference"]


def build(case: Case, dtype: torch.dtype) -> tuple[Tensor, ContinuousKernel, dict]:
    """The image and the kernel of a case, and its options with points that learn."""
    image = torch.randn(case.image, dtype=dtype, requires_grad=True)
    options: dict[str, Any] = dict(case.options)
    if "points" in options:
        points = options["points"].to(torch.promote_types(dtype, torch.float32))
        options["points"] = points.requires_grad_()
    return image, case.kernel(dtype), options


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("name", CASES)
def test_output_and_gradients(engine, mode, name):
    image, kernel, options = build(CASES[name], torch.float64)
    options["padding_mode"] = mode
    skip_refused(engine, image, kernel, options)
    leaves = [image, *kernel.parameters()]
    if "points" in options:
        leaves.append(options["points"])
    actual = continuous_conv(image, kernel, **options, engine=engine)
    expected = continuous_conv(image, kernel, **options, engine="reference")
    torch.testing.assert_close(actual, expected)
    probe = torch.randn_like(expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual, leaves, probe),
        torch.autograd.grad(expected, leaves, probe),
    )


def worst(actual: Tensor, truth: Tensor) -> float:
    return (actual.double() - truth).abs().max().item()


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("name", [name for name in CASES if name != "empty"])
def test_low_precision(engine, dtype, name):
    """At most twice the reference's own error in that dtype."""
    image, kernel, options = build(CASES[name], dtype)
    skip_refused(engine, image, kernel, options)
    with torch.no_grad():
        actual = continuous_conv(image, kernel, **options, engine=engine)
        baseline = continuous_conv(image, kernel, **options, engine="reference")
        truth = continuous_conv(
            image.double(), kernel.double(), **options, engine="reference"
        )
    assert actual.dtype == dtype
    error, allowed = worst(actual, truth), 2 * worst(baseline, truth)
    if not error <= allowed:
        raise AssertionError(f"max error {error:.2e}, allowed {allowed:.2e}")


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
    for height in (64, 128):
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
