"""explain: what each engine would take, why it cannot run, and which one does."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from contconv import ContinuousConv2d, Explanation, continuous_conv, explain
from contconv._runtime import cache
from contconv.engines import ENGINES, Cost, Engine, Problem, choose
from contconv.functional.explanation import Candidate
from contconv.kernels import CosineKernel, GaussianKernel, MLPKernel

COSINE, MLP = CosineKernel(4, 6, (3, 3)), MLPKernel(4, 6, (3, 3))
GROUPS = CosineKernel(4, 6, (3, 5), groups=2)
LINES = CosineKernel(4, 6, (3,))
GIB = 2**30


def image(*shape: int, **options: Any) -> Tensor:
    return torch.rand(*(shape or (2, 4, 40, 36)), **options)


CALLS: dict[str, tuple[Tensor, Any, dict[str, Any]]] = {
    "any scale": (image(), COSINE, {"scale": 0.74}),
    "half": (image(), COSINE, {"scale": 0.5}),
    "enlarged": (image(), COSINE, {"scale": (2.7, 3.1)}),
    "mlp": (image(), MLP, {"size": (31, 17)}),
    "groups": (image(), GROUPS, {"groups": 2, "padding_mode": "circular"}),
    "points": (image(), COSINE, {"points": torch.rand(20, 30, 2)}),
    "double points": (image(), COSINE, {"points": torch.rand(20, 30, 2).double()}),
    "half points": (image(), COSINE, {"points": torch.rand(20, 30, 2).half()}),
    "shared": (image(), "cubic", {"scale": 0.3, "antialias": True}),
    "shared points": (image(), "cubic", {"points": torch.rand(2, 9, 8, 2)}),
    "one channel": (image(2, 1, 8, 8), "linear", {"scale": 2}),
    "unbatched": (image(4, 40, 36), COSINE, {"scale": 1.5}),
    "one axis": (image(3, 4, 50), LINES, {"scale": 1.37}),
    "float64": (image(dtype=torch.float64), GaussianKernel(), {"scale": 0.5}),
    "batch of none": (image()[:0], COSINE, {"scale": 0.5}),
    "learned input": (image(requires_grad=True), COSINE, {"scale": 0.5}),
}

of_each_call = pytest.mark.parametrize(
    "input, kernel, options", CALLS.values(), ids=CALLS
)


@pytest.fixture
def runs(monkeypatch) -> list[tuple[Problem, Engine]]:
    """The engines that run, and what on."""
    found = []

    def spy(problem, engine):
        chosen, cost = choose(problem, engine)
        found.append((problem, chosen))
        return chosen, cost

    monkeypatch.setattr("contconv.functional.conv.choose", spy)
    monkeypatch.setattr(cache, "_kept", cache._Entries())  # plans need no choice
    return found


def assert_ran(explanation: Explanation, runs: list, out: Tensor) -> None:
    ((problem, chosen),) = runs
    assert ENGINES[explanation.engine] is chosen
    assert explanation.output_shape == out.shape
    assert set(explanation.engines) == set(ENGINES)
    for name, candidate in explanation.engines.items():
        assert candidate.reasons == ENGINES[name].unsupported(problem)
        cost = None if candidate.reasons else ENGINES[name].cost(problem)
        assert candidate.cost == cost


@pytest.mark.parametrize("context", [nullcontext, torch.no_grad], ids=["", "no_grad"])
@of_each_call
def test_is_what_runs(input, kernel, options, context, runs):
    with context():
        out = continuous_conv(input, kernel, **options)
        explanation = explain(input, kernel, **options)
        assert_ran(explanation, runs, out)
    assert explanation.input_shape == input.shape


@of_each_call
def test_on_meta(input, kernel, options):
    """The same as of a tensor beside the kernel."""
    points = {name: v.to("meta") for name, v in options.items() if name == "points"}
    actual = explain(input.to("meta"), kernel, **options | points)
    assert actual == explain(input, kernel, **options)


def test_is_what_runs_under_autocast(runs):
    with torch.autocast("cpu", torch.bfloat16):
        out = continuous_conv(image(), COSINE, scale=0.5, engine="auto")
        explanation = explain(image(), COSINE, scale=0.5)
    assert_ran(explanation, runs, out)
    assert "bfloat16 on cpu" in explanation.problem


def test_not_always_the_same():
    engines = {
        explain(x, kernel, **options).engine for x, kernel, options in CALLS.values()
    }
    assert len(engines) > 1


OPTIONS: dict[str, Any] = {"groups": 2, "padding_mode": "reflect"}


@pytest.mark.parametrize(
    "call",
    [{}, {"scale": 2.3}, {"size": (9, 5)}, {"points": torch.rand(7, 8, 2)}],
    ids=["own scale", "scale", "size", "points"],
)
def test_layer(call, runs):
    options: dict[str, Any] = OPTIONS | {"antialias": "points" not in call}
    layer = ContinuousConv2d(4, 6, 3, scale=(0.5, 0.7), **options)
    out = layer(image(), **call)
    explanation = layer.explain(image(), **call)
    assert_ran(explanation, runs, out)
    call = call or {"scale": (0.5, 0.7)}
    assert explanation == explain(image(), layer.kernel, **call, **options)


def test_layer_with_an_engine():
    """The choice is that of "auto", whatever the layer's own."""
    layer = ContinuousConv2d(4, 6, 3, scale=0.5, kernel=COSINE)
    before = layer.explain(image())
    layer.engine = "reference"
    assert layer.explain(image()) == before
    assert before.engine != "reference"


def test_reasons():
    at_points = explain(image(), MLP, points=torch.rand(3, 4, 2)).engines
    on_a_grid = explain(image(), COSINE, scale=0.74).engines
    no_product = "the basis of MLPKernel is not a product over the axes"
    assert at_points["periodic"] == Candidate(
        ["points have no period; it takes a scale or a size"], None, None
    )
    assert at_points["separable"].reasons == [
        no_product,
        "points are not the product of axes",
    ]
    assert on_a_grid["periodic"].reasons == [
        "810 sub-pixel phases; at most 64 are worth it"
    ]
    assert on_a_grid["separable"].reasons == at_points["factored"].reasons == []


class Allocations(TorchDispatchMode):
    """The bytes of the largest storage that any operation returns."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **kwargs or {})
        if isinstance(out, Tensor) and not out.is_meta:
            self.largest = max(self.largest, out.untyped_storage().nbytes())
        return out


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


GIGANTIC = {
    "scale": (meta(1, 4, 10**5, 10**5), COSINE, {"scale": 3.3}),
    "shared": (meta(8, 3, 10**5, 10**5), "cubic", {"scale": 0.3}),
    "points": (meta(4, 30, 30), COSINE, {"points": meta(10**5, 10**5, 2)}),
    "points of each": (
        meta(2, 3, 10**5, 10**5),
        "cubic",
        {"points": meta(2, 10**5, 10**5, 2, dtype=torch.float16)},
    ),
    "strided": (image(2, 4, 1, 1).expand(-1, -1, 10**5, 10**5), COSINE, {"size": 9}),
}


@pytest.mark.parametrize("autocast", [False, True], ids=["", "autocast"])
@pytest.mark.parametrize("input, kernel, options", GIGANTIC.values(), ids=GIGANTIC)
def test_nothing_is_allocated(input, kernel, options, autocast):
    with Allocations() as allocations, torch.autocast("cpu", enabled=autocast):
        explanation = explain(input, kernel, **options)
    assert 0 < allocations.largest < 1000
    assert len(str(explanation)) > 0


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_too_large(device, monkeypatch):
    """It answers, and says what the convolution would."""
    monkeypatch.setattr("contconv._runtime.memory.total_memory", lambda _: 10**6)
    kernel = CosineKernel(4, 6, (3, 3), device=device)
    explanation = explain(meta(1, 4, 300, 300), kernel, scale=0.74)
    with pytest.raises(ValueError) as error:
        continuous_conv(image(1, 4, 300, 300), COSINE, scale=0.74)
    assert explanation.engines[explanation.engine].shortage == str(error.value)
    text = " ".join(str(explanation).split())
    assert f"takes {explanation.engine}, which refuses: {error.value}." in text


def test_some_are_too_large(monkeypatch):
    costs = explain(image(), COSINE, scale=0.74).engines
    bytes_of = {name: c.cost.memory for name, c in costs.items() if c.cost}
    most = max(bytes_of.values())
    monkeypatch.setattr("contconv._runtime.memory.total_memory", lambda _: most)
    found = explain(image(), COSINE, scale=0.74).engines
    short = {name for name, c in found.items() if c.shortage}
    assert short == {name for name, memory in bytes_of.items() if memory == most}


def test_gradients_are_heeded():
    """Without, the factored engine makes the basis piece by piece."""
    x = meta(1, 4, 3000, 3000)
    with_gradients = explain(x, MLP, scale=0.74)
    with torch.no_grad():
        without = explain(x, MLP, scale=0.74)
    costs = [e.engines["factored"].cost for e in (with_gradients, without)]
    assert costs[0].memory > costs[1].memory  # type: ignore
    assert "with gradients" in str(with_gradients)
    assert "without gradients" in str(without)


TABLE = """\
the problem

  engine        time  multiply-adds     memory
* separable  3.19 ms          139 M  3.277 MiB
  reference    2.5 h          1.5 G     20 GiB  does not fit
  periodic   cannot run: 1369 sub-pixel phases; at most 64 are worth it; and for quite
             another reason, too

* engine="auto" takes separable.
Estimates, to compare engines with each other: the times are for float32 on two CPU
cores; the memory is that of intermediate tensors, beside input and output."""


def test_table():
    """The fastest first, those that cannot run last."""
    reasons = ["1369 sub-pixel phases; at most 64 are worth it"]
    engines = {
        "periodic": Candidate(
            [*reasons, "and for quite another reason, too"], None, None
        ),
        "reference": Candidate([], Cost(1_500_000_000, 20 * GIB, 9e12), "too much"),
        "separable": Candidate([], Cost(139_123_456, 3_436_184, 3_190_000.0), None),
    }
    explanation = Explanation("separable", engines, (1,), (2,), "the problem")
    assert str(explanation) == TABLE


def test_one_that_refuses():
    """And which do not."""
    engines = {
        "periodic": Candidate([], Cost(1, 1, 1.0), "an output needs too much"),
        "factored": Candidate([], Cost(1, 1, 2.0), None),
        "reference": Candidate([], Cost(1, 1, 3.0), None),
        "separable": Candidate(["no"], None, None),
    }
    text = str(Explanation("periodic", engines, (1,), (1,), "the problem"))
    assert (
        '* engine="auto" takes periodic, which refuses: an output needs too much. It '
        'fits with\nengine="factored" or engine="reference".\n'
    ) in text


@pytest.mark.parametrize(
    "nanoseconds, text",
    [
        (0, "0 ms"),
        (123_456, "0.123 ms"),
        (999.4e6, "999 ms"),
        (999.6e6, "1 s"),
        (59.6e9, "0.993 min"),
        (86_400e9, "1 days"),
        (1e24, "3.17e+07 years"),
    ],
    ids=str,
)
def test_times(nanoseconds, text):
    engines = {"reference": Candidate([], Cost(1, 1, nanoseconds), None)}
    assert f" {text} " in str(Explanation("reference", engines, (1,), (1,), ""))


PROBLEMS: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "grid": (
        (meta(1, 4, 64, 64), COSINE),
        {"scale": (0.74, 1)},
        """\
input   1 x 4 x 64 x 64 (64 KiB), float32 on cpu
kernel  CosineKernel(4, 6, kernel_size=(3, 3), rank=9)
grid    scale 0.74 x 1, at most 12 pixels under the kernel
output  1 x 6 x 48 x 64 (72 KiB), with gradients
""",
    ),
    "antialias": (
        (meta(2, 3, 64, 64).bfloat16(), "cubic"),
        {"size": (32, 128), "antialias": True},
        """\
input   2 x 3 x 64 x 64 (48 KiB), bfloat16 on cpu
kernel  CubicKernel(kernel_size=(4, 4), rank=1), one for all 3 channels
grid    scale 0.5 x 2, antialiased, at most 32 pixels under the kernel
output  2 x 3 x 32 x 128 (48 KiB), with gradients
""",
    ),
    "points": (
        (meta(2, 4, 64, 64), GROUPS),
        {"points": meta(2, 20, 10, 2), "groups": 2},
        """\
input   2 x 4 x 64 x 64 (128 KiB), float32 on cpu
kernel  CosineKernel(2, 6, kernel_size=(3, 5), rank=15), 2 groups
grid    20 x 10 points, others for each image, at most 24 pixels under the kernel
output  2 x 6 x 20 x 10 (9.375 KiB), with gradients
""",
    ),
}


@pytest.mark.parametrize("given, options, text", PROBLEMS.values(), ids=PROBLEMS)
def test_problem(given, options, text):
    assert str(explain(*given, **options)).startswith(text + "\n  engine ")


@of_each_call
def test_every_engine_has_a_line(input, kernel, options):
    explanation = explain(input, kernel, **options)
    rows = [row.split() for row in str(explanation).splitlines() if row[:1] in "* "]
    names = [row[0] if row[0] != "*" else row[1] for row in rows if row]
    assert set(ENGINES) <= set(names)
    assert rows[2][:2] == ["*", explanation.engine]
