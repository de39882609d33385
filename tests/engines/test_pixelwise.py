"""The engine in C++ with a table for each pixel: any basis, and points."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from contconv import continuous_conv
from contconv._grid.padding import PADDING_MODES
from contconv.engines.native import library, pixel_tables, pixelwise
from contconv.functional.call import as_call
from contconv.functional.conv import as_problem
from contconv.kernels import (
    ContinuousKernel,
    CosineKernel,
    CubicKernel,
    GaussianKernel,
    MLPKernel,
)
from tests.cases import Case

if (reason := library.missing()) is not None:
    pytest.skip(f"NOT TESTED: {reason}", allow_module_level=True)

from tests.instruction_sets import instruction_set as instruction_set
from tests.instruction_sets import threads as threads


def mlp(*args: Any, **options: Any):
    return lambda dtype: MLPKernel(*args, **options, widths=(8, 5), dtype=dtype)


def cosine(*args: Any, **options: Any):
    return lambda dtype: CosineKernel(*args, **options, dtype=dtype)


def scattered(*shape: int) -> Tensor:
    """Points inside and outside of an image of 12 pixels a side."""
    return 16 * torch.rand(*shape, generator=torch.Generator().manual_seed(1)) - 2


# What vectors, tiles, items and blocks of channels make of sizes; functions in vectors
# and channels in vectors; channels by themselves; shared parts of the table.
CASES = {
    "64 channels": Case((2, 64, 23, 19), mlp(64, 64, (3, 3)), {"scale": 0.7391}),
    "33 to 20": Case((1, 33, 12, 13), mlp(33, 20, (4, 3)), {"scale": (2.3, 0.6)}),
    "3 to 34": Case((2, 3, 12, 31), mlp(3, 34, (3, 3)), {"scale": 1.7}),
    "groups": Case(
        (2, 38, 7, 9), mlp(38, 6, (3, 3), groups=2), {"scale": 1.4, "groups": 2}
    ),
    "depthwise": Case(
        (3, 37, 9, 8), mlp(37, 37, (3, 3), groups=37), {"scale": 0.7, "groups": 37}
    ),
    "one for all": Case((5, 7, 9, 8), mlp(1, 1, (3, 3)), {"scale": 0.7}),
    "phases": Case((2, 4, 24, 21), mlp(4, 5, (4, 4)), {"scale": (1.5, 0.75)}),
    "antialias": Case(
        (1, 4, 20, 23), mlp(4, 5, (3, 3)), {"scale": 0.31, "antialias": True}
    ),
    "1d": Case((2, 20, 301), mlp(20, 5, (5,)), {"scale": 0.91}),
    "3d": Case((2, 5, 4, 7, 6), mlp(5, 18, (3, 2, 3)), {"scale": (1.3, 0.7, 1)}),
    "rank 20": Case(
        (1, 17, 12, 12),
        cosine(17, 3, (4, 4), frequencies=(4, 5)),
        {"points": scattered(15, 11, 2)},
    ),
    "points": Case(
        (3, 20, 12, 12), cosine(20, 18, (3, 3)), {"points": scattered(9, 14, 2)}
    ),
    "points each": Case(
        (3, 20, 12, 12), mlp(20, 6, (3, 3)), {"points": scattered(3, 9, 14, 2)}
    ),
    "points of one filter": Case(
        (2, 19, 12, 12), lambda _: CubicKernel(), {"points": scattered(9, 14, 2)}
    ),
    "points 1d": Case((2, 3, 12), cosine(3, 2, (3,)), {"points": scattered(40, 1)}),
    "gaussian": Case(
        (2, 20, 12, 15),
        lambda _: GaussianKernel([[2.0, 1.0], [1.0, 1.0]]),
        {"scale": 0.83},
    ),
}


def found(
    engine: str,
    case: Case,
    dtype: torch.dtype,
    mode: str,
    graph: bool = False,
    last: bool = False,
) -> dict[str, Tensor]:
    """The output and all gradients by name, from the same numbers in each dtype."""
    torch.manual_seed(7)
    image = torch.randn(case.image)
    if last:
        image = image.movedim(1, -1).contiguous().movedim(-1, 1)
    image = image.to(dtype).requires_grad_()
    kernel = case.kernel(torch.float32).to(dtype)
    options = {**case.options, "padding_mode": mode}
    leaves = {"image": image, **dict(kernel.named_parameters())}
    if "points" in options:
        wide = torch.promote_types(dtype, torch.float32)
        options["points"] = options["points"].to(wide).requires_grad_()
        leaves["points"] = options["points"]
    out = continuous_conv(image, kernel, **options, engine=engine)
    probe = torch.randn(out.shape).to(dtype)
    gradients = torch.autograd.grad(
        out, list(leaves.values()), probe, create_graph=graph
    )
    return {"output": out, **dict(zip(leaves, gradients, strict=True))}


def check(actual: dict[str, Tensor], truth: dict[str, Tensor], most: float) -> None:
    for name, one in actual.items():
        error = (one.double() - truth[name]).norm() / truth[name].norm()
        assert error <= most, f"{name}: error {error:.1e}"


@pytest.mark.parametrize("name", CASES)
def test_float32(name, instruction_set):
    """Output and every gradient, against Eq. 1 in float64; with graphs, too."""
    shift = list(CASES).index(name)
    for i in (0, 2):
        mode = PADDING_MODES[(shift + i) % len(PADDING_MODES)]
        truth = found("reference", CASES[name], torch.float64, mode)
        for graph, last in ((False, False), (False, True), (True, False)):
            actual = found("native", CASES[name], torch.float32, mode, graph, last)
            check(actual, truth, 1e-5)


@pytest.mark.parametrize("name", ["64 channels", "3 to 34", "depthwise", "points each"])
def test_bfloat16(name, instruction_set):
    """As near as the rounding of what is read and written."""
    actual = found("native", CASES[name], torch.bfloat16, "reflect")
    truth = found("reference", CASES[name], torch.bfloat16, "reflect")
    exact = found("reference", CASES[name], torch.float64, "reflect")
    for one in ("output", "image", "head"):
        allowed = (truth[one].double() - exact[one]).norm()
        error = (actual[one].double() - exact[one]).norm()
        assert error <= 1.5 * allowed + 2e-3 * exact[one].norm(), one


def prepared(case: Case, mode: str = "reflect") -> list[Any]:
    """What the operators take beside the gradient."""
    kernel = case.kernel(torch.float32)
    image = torch.randn(case.image)
    call = as_call(image, kernel, **case.options, padding_mode=mode)
    groups = case.options.get("groups", 1)
    problem = as_problem(image, kernel, call.grid, groups)
    with torch.no_grad():
        tables = pixel_tables.pixel_tables(problem)
    head = kernel.head.detach()
    return [problem.image, head, *tables.sources, tables.table, tables.shape, groups]


@pytest.mark.parametrize("name", ["64 channels", "groups", "depthwise", "phases", "3d"])
def test_bits_do_not_depend_on_threads(name, threads):
    given = prepared(CASES[name])
    native, first = torch.ops.contconv_native, None
    probe = torch.randn_like(native.pixelwise(*given))
    for count in (1, 2, 3, 5, 8, 17, 1):
        torch.set_num_threads(count)
        actual = [native.pixelwise(*given)]
        actual += native.pixelwise_backward(probe, *given, True, True, True)
        first = first or actual
        for one, other in zip(first, actual, strict=True):
            assert torch.equal(one, other), f"{count} threads"


@pytest.mark.parametrize("name", ["33 to 20", "3 to 34", "depthwise", "points"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@torch.no_grad()
def test_what_is_no_number_reaches_what_the_kernel_touches(name, value):
    """Not its neighbors in a vector, nor by taps that do not count."""
    case = CASES[name]
    kernel, groups = case.kernel(torch.float32), case.options.get("groups", 1)
    for mode in ("zeros", "reflect"):
        image = torch.randn(case.image)
        image[0, 1, 0, 0] = image[0, 1, 5, -1] = value
        options = {**case.options, "padding_mode": mode}
        out = continuous_conv(image, kernel, **options, engine="native")
        grid = as_call(image, kernel, **options).grid
        source, _, weights = grid.neighbors(torch.float32, None)
        bad = ~image[0, 1].flatten().isfinite()
        touched = (bad[source[0]] & (weights[0] != 0)).any(-1).view(grid.out_shape)
        assert touched.any()
        reached = ~out.isfinite()
        mixed = slice(1, 2) if groups > 1 else slice(None)
        assert torch.equal(reached[0, mixed].all(0), touched)
        assert torch.equal(reached[0].any(0), touched)
        assert not reached[1:].any()


@pytest.mark.parametrize("name", ["33 to 20", "1d", "3d", "points", "points each"])
@torch.no_grad()
def test_slabs_are_the_whole(name, monkeypatch):
    """Some rows at a time, from the part of the image that they read: every bit."""
    case, kernel = CASES[name], CASES[name].kernel(torch.float32)
    image = torch.randn(case.image)
    whole = continuous_conv(image, kernel, **case.options, engine="native")
    monkeypatch.setattr(pixelwise, "MOST_KEPT", 1)
    for mode in ("zeros", "circular"):
        options = {**case.options, "padding_mode": mode}
        parts = continuous_conv(image, kernel, **options, engine="native")
        monkeypatch.undo()
        whole = continuous_conv(image, kernel, **options, engine="native")
        monkeypatch.setattr(pixelwise, "MOST_KEPT", 1)
        assert torch.equal(parts, whole)


@torch.no_grad()
def test_a_table_is_kept_while_the_kernel_is_what_it_was(monkeypatch):
    kernel, image = MLPKernel(3, 4, (3, 3)), torch.randn(1, 3, 9, 9)
    first = continuous_conv(image, kernel, scale=0.7, engine="native")
    with monkeypatch.context() as patched:
        patched.delattr(MLPKernel, "_linear")  # without which there is no basis
        again = continuous_conv(image, kernel, scale=0.7, engine="native")
    assert torch.equal(again, first)
    kernel.get_parameter("layers.0.weight").data.mul_(1.5)
    second = continuous_conv(image, kernel, scale=0.7, engine="native")
    fresh = deepcopy(kernel)
    assert not torch.equal(first, second)
    expected = continuous_conv(image, fresh, scale=0.7, engine="native")
    assert torch.equal(second, expected)


class Halves(ContinuousKernel):
    """A basis that is neither a product nor known to the library."""

    def __init__(self) -> None:
        super().__init__((2, 2))
        self.head = nn.Parameter(torch.ones(1, 1, 1))

    def basis(self, distances: Tensor) -> Tensor:
        return (distances.sum(-1, keepdim=True) > 0).to(distances.dtype)


def test_a_kernel_of_a_users_own():
    image = torch.randn(1, 2, 6, 6)
    out = continuous_conv(image, Halves(), scale=0.8, engine="native")
    expected = continuous_conv(image, Halves(), scale=0.8, engine="reference")
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("shape", [(7, 1, 1), (6, 1, 2), (1, 5, 1), (4, 3, 1)])
def test_pixels_that_lie_apart(shape, instruction_set):
    """A cut of a wider image: of an axis of one pixel the stride says nothing."""
    torch.manual_seed(2)
    wide = torch.randn(2, 16, *shape[:2], shape[2] + 3)
    points = 3 * torch.rand(2, 1, 3, 3)
    for channels, last in ((2, False), (16, False), (16, True)):
        kernel = CosineKernel(channels, 3, (3, 3, 1), frequencies=(2, 3, 2))
        image = wide[:, :channels, ..., 1:-2]
        if last:
            image = wide.movedim(1, -1).contiguous().movedim(-1, 1)[..., 1:-2]
        out = continuous_conv(image, kernel, points=points, engine="native")
        whole = image.contiguous()
        expected = continuous_conv(whole, kernel, points=points, engine="reference")
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)


def test_nothing():
    for shape in ((0, 3, 8, 8), (2, 3, 1, 1)):
        image = torch.randn(shape, requires_grad=True)
        kernel = MLPKernel(3, 5, (3, 3))
        out = continuous_conv(image, kernel, scale=2, engine="native")
        expected = continuous_conv(image, kernel, scale=2, engine="reference")
        torch.testing.assert_close(out, expected)
        leaves = [image, kernel.head]
        found = torch.autograd.grad(out.sum(), leaves)
        truth = torch.autograd.grad(expected.sum(), leaves)
        torch.testing.assert_close(found, truth)


def test_the_operator_refuses_what_would_read_outside():
    """Whoever calls it: an error, not a crash."""
    good = prepared(CASES["phases"])
    operator = torch.ops.contconv_native.pixelwise
    operator(*good)
    far, late = good[4].clone(), good[5].clone()
    far[3, 1], late[3] = 24, 40
    bad = {
        0: torch.randn(2, 4, 24, 20),
        1: good[1][:, :2].contiguous(),
        4: far,
        5: late,
        6: good[6].long(),
        7: good[7][:-1].clone(),
        8: good[8][:-1].contiguous(),
        9: (36, 15),
        10: 3,
    }
    for position, value in bad.items():
        arguments = [*good[:position], value, *good[position + 1 :]]
        with pytest.raises(RuntimeError, match="contconv_native"):
            operator(*arguments)


def test_batches_of_gradients():
    kernel, image = MLPKernel(2, 3, (3, 3), widths=(8, 5)), torch.randn(1, 2, 6, 7)
    leaves = [image.requires_grad_(), *kernel.parameters()]
    out = continuous_conv(image, kernel, scale=0.8, engine="native")
    probes = torch.randn(2, *out.shape)
    options = {"retain_graph": True}
    batch = torch.autograd.grad(out, leaves, probes, is_grads_batched=True, **options)
    for i, probe in enumerate(probes):
        each = torch.autograd.grad(out, leaves, probe, **options)
        for one, many in zip(each, batch, strict=True):
            torch.testing.assert_close(many[i], one, rtol=1e-4, atol=1e-4)


@pytest.mark.plain
@pytest.mark.parametrize("at_points", [False, True])
def test_compiled(at_points):
    """One graph, with the output and the gradients of eager mode."""
    kernel, image = MLPKernel(2, 3, (3, 3), widths=(8, 5)), torch.randn(2, 2, 7, 9)
    points = (8 * torch.rand(4, 5, 2)).requires_grad_()
    leaves = [image.requires_grad_(), *kernel.parameters()]
    given: dict[str, Any] = {"points": points} if at_points else {"scale": 0.8}

    def loss(image: Tensor) -> Tensor:
        return continuous_conv(image, kernel, **given, engine="native").square().sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    leaves += [points] * at_points
    actual = torch.autograd.grad(compiled(image), leaves)
    expected = torch.autograd.grad(loss(image), leaves)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
