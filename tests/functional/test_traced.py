"""Calls without numbers, and calls that become graphs: meta, fake, traced, exported."""

from typing import Any

import pytest
import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.export import Dim, export

from contconv import (
    ContinuousConv2d,
    Gradual,
    ScaleEnsemble,
    continuous_conv,
    resize,
)
from contconv.nn import AliasFree
from tests.cases import CASES, HERE, skip_refused

# Sizes may be symbols, which the shape checks do not know.
pytestmark = pytest.mark.plain


@pytest.mark.parametrize("engine", ["auto", *HERE])
@pytest.mark.parametrize("name", ["irrational", "classical", "points each", "1d"])
def test_meta(engine, name):
    """The shape and the dtype of the output, and gradients of the right shapes."""
    case = CASES[name]
    image, kernel = torch.rand(case.image), case.kernel(torch.float32)
    if engine != "auto":
        skip_refused(engine, image, kernel, case.options)
    expected = continuous_conv(image, kernel, **case.options)
    options = dict(case.options, engine=engine)
    if "points" in options:
        options["points"] = options["points"].to("meta")
    image = image.to("meta").requires_grad_()
    out = continuous_conv(image, kernel.to("meta"), **options)
    assert (out.device.type, out.dtype) == ("meta", expected.dtype)
    assert out.shape == expected.shape
    out.sum().backward()
    assert image.grad is not None and image.grad.shape == image.shape
    with torch.no_grad():
        assert continuous_conv(image, kernel, **options).shape == expected.shape


@pytest.mark.parametrize("engine", ["auto", *HERE])
@pytest.mark.parametrize("learns", [True, False])
def test_fake_tensors(engine, learns):
    """A layer is made and run, and learns; only its shapes are there."""
    with FakeTensorMode(), torch.set_grad_enabled(learns):
        layer = ContinuousConv2d(3, 4, 3, kernel="spline", scale=0.74, engine=engine)
        out = layer(torch.rand(2, 3, 9, 8))
        if learns:
            out.sum().backward()
            grad = layer.kernel.head.grad
            assert grad is not None and grad.shape == layer.kernel.head.shape
    assert isinstance(out, FakeTensor) and out.shape == (2, 4, 7, 6)


@pytest.mark.filterwarnings("ignore")  # torch.jit is deprecated, and warns of sizes
@pytest.mark.parametrize("kernel", ["cosine", "mlp"])
@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_jit_trace(engine, kernel):
    """One graph for all batches of a size, which learns as the layer does."""
    layer = ContinuousConv2d(3, 4, 3, kernel=kernel, scale=0.74, engine=engine)
    traced: Any = torch.jit.trace(layer, torch.rand(1, 3, 9, 8))
    images = torch.rand(5, 3, 9, 8)
    torch.testing.assert_close(traced(images), layer(images), rtol=1e-4, atol=1e-5)
    leaves = list(layer.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(traced(images).square().sum(), leaves),
        torch.autograd.grad(layer(images).square().sum(), leaves),
        rtol=1e-3,
        atol=1e-3,
    )


@pytest.mark.filterwarnings("ignore")
def test_jit_trace_keeps_points_open():
    image, points = torch.rand(1, 2, 6, 5), 4 * torch.rand(2, 3, 3, 2)

    def call(image, points):
        return continuous_conv(image, "cubic", points=points)

    traced: Any = torch.jit.trace(call, (image, points[0]))
    torch.testing.assert_close(traced(image, points[1]), call(image, points[1]))


class Branches(nn.Module):
    """A layer that is called with a size, twice."""

    def __init__(self):
        super().__init__()
        self.layer = ContinuousConv2d(3, 3, 3, scale=0.5)

    def forward(self, input):
        return self.layer(self.layer(input), size=(9, 8)) + input


def test_fx():
    """A layer is a step of the graph, whose arguments are those of its call."""
    model, image = Branches(), torch.rand(1, 3, 9, 8)
    graph = fx.symbolic_trace(model)
    steps = [node.target for node in graph.graph.nodes if node.op == "call_module"]
    assert steps == ["layer", "layer"]
    assert torch.equal(graph(image), model(image))


def test_fx_of_what_is_no_step():
    with pytest.raises(TypeError, match=r"nn\.Sequential"):
        fx.symbolic_trace(ContinuousConv2d(3, 4, 3))
    with pytest.raises(TypeError, match=r"torch\.fx\.wrap"):
        fx.symbolic_trace(lambda image: continuous_conv(image, "cubic", scale=2))


OPEN = {2: Dim("h", max=4096), 3: Dim("w", max=4096)}
EXPORTS = {
    "half": (nn.Sequential(ContinuousConv2d(3, 4, 3, scale=0.5)), OPEN, (2, 2)),
    "a third": (ContinuousConv2d(3, 1, 3, scale=(1 / 3, 0.5)), OPEN, (2, 5)),
    "one axis": (ContinuousConv2d(3, 4, 3, scale=0.74), {2: OPEN[2]}, (31, 40)),
    "two halves": (
        nn.Sequential(*(ContinuousConv2d(3, 3, 3, scale=0.5) for _ in range(2))),
        OPEN,
        (61, 3),
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_export_of_sizes_that_become_one(name):
    model, shapes, size = EXPORTS[name]
    image = torch.rand(1, 3, 24, 40)
    program = export(model, (image,), dynamic_shapes=(shapes,)).module()
    for other in (size, (50, 40)):
        image = torch.rand(1, 3, *other)
        torch.testing.assert_close(program(image), model(image), rtol=1e-4, atol=1e-5)


def test_autocast_is_not_asked_where_a_compiler_may_look_on(monkeypatch):
    """PyTorch 2.10 cannot follow the question whether a device has autocast."""
    monkeypatch.delattr(torch.amp, "is_autocast_available")
    out = ContinuousConv2d(1, 1, 3)(torch.rand(1, 1, 4, 4))
    assert out.shape == (1, 1, 4, 4)


class Back(nn.Module):
    """A decoder that goes back to the size of what it is added to."""

    def __init__(self) -> None:
        super().__init__()
        self.down = ContinuousConv2d(3, 3, 3, scale=0.5)
        self.up = ContinuousConv2d(3, 3, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        small, size = self.down(image), image.shape[2:]
        return self.up(small, size=size) + resize(small, size=size) + image


def several() -> dict[str, nn.Module]:
    """What is made of layers, or of resizing."""
    model = nn.Sequential(ContinuousConv2d(3, 4, 3, size=5))
    return {
        "gradual": Gradual(3, 4, 3, scale=1 / 2, layers=2),
        "alias-free": AliasFree(nn.ReLU()),
        "ensemble": ScaleEnsemble(model, [[0.5], [0.7]]),
        "back": Back(),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", several())
def test_what_is_made_of_layers(name):
    """By torch.fx as one step, and by torch.jit.trace."""
    model, image = several()[name], torch.rand(2, 3, 9, 8)
    expected = model(image)
    if name != "back":  # a network of the user's, with a function in it
        graph = fx.symbolic_trace(nn.Sequential(model))
        assert [node.op for node in graph.graph.nodes][1:-1] == ["call_module"]
        torch.testing.assert_close(graph(image), expected)
    traced: Any = torch.jit.trace(model, image)
    torch.testing.assert_close(traced(image), expected)
