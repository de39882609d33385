"""torch.compile and torch.export: one graph for all sizes, and the same numbers."""

import io

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.autograd import gradcheck
from torch.export import Dim

from contconv import (
    ContinuousConv1d,
    ContinuousConv2d,
    ContinuousConv3d,
    ScaleCoverageWarning,
    ScaleEnsemble,
    resize,
    using_scales,
    warp,
)
from contconv._grid.padding import PADDING_MODES
from contconv.engines.native import library

SIZES = [(20, 30), (33, 41), (64, 64), (17, 80)]
KERNELS = ["cosine", "mlp"]
slow = pytest.mark.slow


# The shape checks around the library break graphs.
pytestmark = pytest.mark.plain


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()


def compiled(layer: nn.Module, backend: str = "aot_eager", **options):
    counter = CompileCounterWithBackend(backend)
    return torch.compile(layer, backend=counter, fullgraph=True, **options), counter


def check(layer: nn.Module, function, image: Tensor, **options) -> None:
    """The same output, and the same gradients, as without compiling."""
    leaves = [image.requires_grad_(), *layer.parameters()]
    actual, expected = function(image, **options), layer(image, **options)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
    probe = torch.randn_like(expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual, leaves, probe),
        torch.autograd.grad(expected, leaves, probe),
        rtol=1e-3,
        atol=1e-4,
    )


@pytest.mark.parametrize(
    "scale, kernel",
    [
        (0.7391, "cosine"),
        (1.7391, "mlp"),
        pytest.param((1.3, 0.6), "cosine", marks=slow),
        pytest.param((1.3, 0.6), "mlp", marks=slow),
        pytest.param(1, "mlp", marks=slow),
        pytest.param(2, "cosine", marks=slow),
    ],
)
def test_two_graphs_serve_all_sizes(scale, kernel):
    """One for the first size, and one for any other."""
    layer = ContinuousConv2d(4, 6, 3, scale=scale, kernel=kernel)
    function, counter = compiled(layer)
    for size in SIZES:
        check(layer, function, torch.randn(2, 4, *size))
    assert counter.frame_count <= 2


@slow
@pytest.mark.parametrize("kernel", KERNELS)
def test_two_graphs_serve_all_output_sizes(kernel):
    layer = ContinuousConv2d(4, 6, 3, kernel=kernel)
    function, counter = compiled(layer)
    for size, (h, w) in zip(SIZES, reversed(SIZES), strict=True):
        check(layer, function, torch.randn(2, 4, *size), size=(h + 1, w + 3))
    assert counter.frame_count <= 2


@slow
def test_two_graphs_serve_all_points():
    layer = ContinuousConv2d(4, 6, 3)
    function, counter = compiled(layer)
    for h, w in SIZES:
        image, points = torch.randn(2, 4, 9, 8), 9 * torch.rand(h, w, 2)
        check(layer, function, image, points=points)
    assert counter.frame_count <= 2


@pytest.mark.parametrize(
    "mode, kernel",
    [
        ("zeros", "cosine"),
        *(
            pytest.param(mode, KERNELS[i % 2], marks=slow)
            for i, mode in enumerate(PADDING_MODES)
            if mode != "zeros"
        ),
    ],
)
def test_options(mode, kernel):
    """Groups, antialias, padding; from scale 1/2, with strided convolutions, on."""
    for scale in (0.5, 0.7):
        layer = ContinuousConv2d(
            *(4, 6, (4, 3)),
            scale=(scale, 1.2),
            groups=2,
            antialias=True,
            padding_mode=mode,
            kernel=kernel,
        )
        check(layer, compiled(layer)[0], torch.randn(3, 4, 11, 12))


@pytest.mark.parametrize(
    "engine, kind, shape",
    [
        ("periodic", ContinuousConv2d, (2, 4, 12, 13)),
        pytest.param("reference", ContinuousConv2d, (2, 4, 12, 13), marks=slow),
        pytest.param("factored", ContinuousConv1d, (2, 4, 21), marks=slow),
        pytest.param("separable", ContinuousConv1d, (2, 4, 21), marks=slow),
        pytest.param("periodic", ContinuousConv1d, (2, 4, 21), marks=slow),
        pytest.param("factored", ContinuousConv3d, (2, 4, 5, 6, 7), marks=slow),
        pytest.param("separable", ContinuousConv3d, (2, 4, 5, 6, 7), marks=slow),
    ],
)
def test_engines_and_dimensions(kind, shape, engine):
    layer = kind(4, 4, 3, scale=1.5, groups=4, engine=engine)
    check(layer, compiled(layer)[0], torch.randn(shape))


@slow
def test_inductor():
    """Not only traced: built and run."""
    layer = ContinuousConv2d(3, 4, 3, scale=(0.7, 1.6))
    function, _ = compiled(layer, "inductor", dynamic=True)
    for size in SIZES[:2]:
        check(layer, function, torch.randn(1, 3, *size))


@slow
def test_grid_from_the_first_pixel():
    layer = ContinuousConv2d(2, 3, 3, scale=0.7, padding=0)
    function, counter = compiled(layer)
    for size in SIZES:
        check(layer, function, torch.randn(1, 2, *size))
    assert counter.frame_count <= 2


def test_warp():
    function = torch.compile(warp, fullgraph=True, backend="eager")
    image = torch.rand(1, 3, 9, 9)
    matrix = torch.tensor([[1.0, 0.2, -1.0], [0.1, 0.9, 0.5]])
    expected = warp(image, "cubic", matrix)
    torch.testing.assert_close(function(image, "cubic", matrix), expected)


@slow
def test_autocast():
    layer = ContinuousConv2d(3, 4, 3, scale=0.7)
    function, _ = compiled(layer)
    image = torch.randn(1, 3, 14, 15)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        actual, expected = function(image), layer(image)
    assert actual.dtype == expected.dtype == torch.bfloat16
    # The compiler leaves out roundings between operations.
    torch.testing.assert_close(actual, expected, rtol=0.02, atol=0.005)


@slow
def test_transforms_inside_a_graph():
    """Operators of our own are not differentiated there, nor mapped: none is used."""
    layer = ContinuousConv2d(2, 3, 3, scale=0.7)
    images = torch.randn(3, 2, 9, 8)
    mapped = torch.compile(torch.func.vmap(layer), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(mapped(images), layer(images))

    def tangent(x: Tensor) -> Tensor:
        return torch.func.jvp(layer, (x,), (torch.ones_like(x),))[1]

    actual = torch.compile(tangent, backend="aot_eager", fullgraph=True)(images)
    expected = tangent(images)
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(actual, expected)


@slow
def test_double_backward_is_refused():
    layer = ContinuousConv2d(2, 3, 3, scale=0.7)
    image = torch.randn(1, 2, 9, 8, requires_grad=True)
    out = compiled(layer)[0](image)
    (gradient,) = torch.autograd.grad(out.square().sum(), image, create_graph=True)
    with pytest.raises(RuntimeError, match="does not currently support double"):
        gradient.sum().backward()


@pytest.mark.parametrize("groups, channels", [(1, 4), (2, 2)])
def test_factored_operator(groups, channels):
    def random(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, requires_grad=True)

    near = torch.randint(0, 9, (5, 4))
    head = random(groups, 6 // groups, channels, 3)
    inputs = (random(2, 9, 4), near, random(5, 3, 4), head)
    operator = torch.ops.contconv.factored.default
    torch.library.opcheck(operator, inputs)
    assert gradcheck(operator, inputs)


@pytest.mark.parametrize(
    "scale, kernel",
    [
        (0.7391, "cosine"),
        pytest.param((1.7391, 0.6), "mlp", marks=slow),
        pytest.param(0.5, "mlp", marks=slow),
        pytest.param(2, "cosine", marks=slow),
    ],
)
def test_export(scale, kernel):
    """Saved, loaded, and run at other sizes: in torch's operators alone."""
    layer = ContinuousConv2d(3, 4, 3, scale=scale, kernel=kernel)
    shapes = {"input": {2: Dim("h", min=4, max=4096), 3: Dim("w", min=4, max=4096)}}
    image = torch.randn(2, 3, 20, 30)
    program = torch.export.export(layer, (image,), dynamic_shapes=shapes)
    assert "contconv" not in " ".join(str(node.target) for node in program.graph.nodes)
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    for size in SIZES:
        image = torch.randn(2, 3, *size)
        torch.testing.assert_close(loaded(image), layer(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options", [pytest.param({"scale": 0.5}, marks=slow), {"size": (31, 17)}], ids=str
)
def test_resize(options):
    image = torch.rand(2, 3, 20, 31)
    function = torch.compile(resize, backend="aot_eager", fullgraph=True)
    actual, expected = function(image, **options), resize(image, **options)
    torch.testing.assert_close(actual, expected)


OUTPUTS = [(10, 11), (11, 12), (25, 26), (40, 13), (13, 40), (3, 30), (30, 3), (2, 2)]
OUTPUTS += [(64, 50), (7, 19), (19, 7), (33, 34)]


@pytest.mark.parametrize("kernel", ["cubic", "nearest", "gaussian"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_resize_to_many_sizes(kernel, dtype):
    """A graph for each order of axes and each default padding, not for each size."""
    image = (255 * torch.rand(1, 2, 20, 20)).to(dtype)
    counter = CompileCounterWithBackend("eager")
    function = torch.compile(resize, backend=counter, fullgraph=True)
    for size in OUTPUTS:
        actual = function(image, size=size, kernel=kernel)
        torch.testing.assert_close(actual, resize(image, size=size, kernel=kernel))
    assert counter.frame_count <= 6


def small_network() -> nn.Module:
    return nn.Sequential(
        ContinuousConv2d(3, 4, 3, scale=0.7),
        nn.ReLU(),
        ContinuousConv2d(4, 4, 3, scale=0.7, size=7),
    )


SEQUENCES = [[0.8, 0.6], [(0.6, 0.5), 0.8], [0.9, (0.61, 0.55)], [0.72, 0.68]]


@slow
def test_ensembles_are_one_graph():
    model = small_network()
    ensemble = ScaleEnsemble(model, [None, *SEQUENCES], reduce="mean")
    function, counter = compiled(ensemble)
    before = repr(model)
    for _ in range(2):
        check(ensemble, function, torch.randn(2, 3, 15, 14))
    assert counter.frame_count == 1
    assert repr(model) == before


@slow
def test_other_scales_of_a_compiled_network():
    """Each sequence compiles anew: they are constants of the network's graph."""
    model = small_network()
    image = torch.randn(2, 3, 15, 14)
    function, counter = compiled(model)
    for sequence in SEQUENCES:
        with using_scales(model, sequence):
            check(model, function, image)
    assert counter.frame_count == len(SEQUENCES)


def test_warning_names_the_line_of_the_call():
    """What checks shapes would stand between."""
    layer = ContinuousConv2d(2, 3, 4, scale=0.5, kernel="mlp")
    with pytest.warns(ScaleCoverageWarning) as heard:
        layer(torch.rand(1, 2, 8, 8))
    (warning,) = heard
    assert warning.filename == __file__


def test_native_is_one_graph_for_all_sizes():
    """The operators in C++ take sizes as symbols."""
    if (reason := library.missing()) is not None:
        pytest.skip(f"NOT TESTED: {reason}")
    layer = ContinuousConv2d(4, 6, 3, scale=0.7, engine="native")
    torch._dynamo.reset()
    graphs = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend=graphs)
    with torch.no_grad():
        for shape in ((2, 4, 8, 9), (2, 4, 12, 10), (3, 4, 20, 31)):
            image = torch.randn(shape)
            torch.testing.assert_close(compiled(image), layer(image))
    assert graphs.frame_count == 1
