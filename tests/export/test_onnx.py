"""Graphs for other runtimes: ONNX files, verified; packages; baked networks."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from contconv import ContinuousConv1d, ContinuousConv2d, bake, convert, to_onnx
from contconv.export import onnx, verify
from contconv.kernels import CosineKernel
from contconv.models import CCNet, SuperResolutionNet

# The shape checks around the library break graphs.
pytestmark = pytest.mark.plain


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def run(path: Path, **feed: Any) -> Tensor:
    """What ONNX Runtime makes of it."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == list(feed)
    arrays = {name: np.asarray(one) for name, one in feed.items()}
    return torch.from_numpy(session.run(["output"], arrays)[0])


def assert_close(actual: Tensor, expected: Tensor) -> None:
    assert actual.shape == expected.shape
    largest = expected.abs().max()
    assert (actual - expected).abs().max() <= 1e-5 * largest


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [
        {"scale": 0.7391},
        {"scale": (1.7, 0.5), "padding_mode": "reflect", "kernel": "mlp", "groups": 2},
        {"scale": 0.8, "size": 9, "padding_mode": "circular", "antialias": True},
    ],
    ids=str,
)
def test_one_file_for_all_inputs(options, path):
    """Also of 1 pixel, and smaller than the kernel."""
    layer = ContinuousConv2d(4, 6, 3, **options)
    to_onnx(layer, path, torch.rand(1, 4, 12, 17))
    assert layer.training
    layer.engine = "reference"
    for shape in [(12, 17), (1, 2), (2, 1), (31, 8)]:
        image = torch.rand(1, 4, *shape)
        assert_close(run(path, input=image), layer(image))
    assert [one.name for one in path.parent.iterdir()] == ["model.onnx"]


@torch.no_grad()
def test_one_file_for_all_sizes(path):
    """Of the input and of the output."""
    net = SuperResolutionNet(4, 1)
    nn.init.normal_(net.kernel.factors[-1].weight, std=0.1)  # type: ignore
    to_onnx(net, path, torch.rand(1, 3, 12, 17), size="input")
    for shape, (height, width) in [((5, 9), (5, 20)), ((13, 2), (40, 3))]:
        image = torch.rand(1, 3, *shape)
        actual = run(path, input=image, height=height, width=width)
        assert_close(actual, net.eval()(image, size=(height, width)))


@torch.no_grad()
def test_other_axes_and_what_a_call_says(path):
    layer, image = ContinuousConv1d(2, 3, 4).double(), torch.rand(2, 2, 7).double()
    to_onnx(layer, path, image, size="input", sizes=[3, 11])
    assert_close(run(path, input=image, width=10), layer(image, size=10))
    path.write_bytes(b"an older one")
    to_onnx(layer, path, image, scale=1.5)
    assert_close(run(path, input=image), layer(image, scale=1.5))


class Across(nn.Module):
    """Down twice, and up again to what is beside; the first half of the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = ContinuousConv2d(2, 2, 3, scale=0.5)
        self.down2 = convert(nn.Conv2d(2, 2, 3, 2, 1)).model
        self.up = ContinuousConv2d(2, 2, 3)

    def forward(self, image: Tensor) -> Tensor:
        half = self.down1(image)
        up = self.up(self.down2(half), size=half.shape[2:])
        return (half + up)[..., : -(-image.shape[2] // 4), :]


@torch.no_grad()
def test_every_remainder_and_any_batch(path):
    """Two layers of 1/2 in a row; a division of sizes below zero."""
    model = Across().eval()
    to_onnx(model, path, torch.rand(1, 2, 12, 17))
    for i in range(8):
        image = torch.rand(1 + i % 3, 2, 9 + i, 10 + 3 * i)
        assert_close(run(path, input=image), model(image))


class Branches(nn.Module):
    """Something else for wide images."""

    def forward(self, image: Tensor) -> Tensor:
        return image * (2 if image.shape[3] > 13 else 3)


class Fixed(CosineKernel):
    """A kernel that looks at values, which no graph can follow."""

    def axis_basis(self, distance: Tensor, axis: int) -> Tensor:
        assert distance.max().item() < 9
        return super().axis_basis(distance, axis)


IMAGE = torch.rand(1, 3, 9, 12)
LAYER = ContinuousConv2d(3, 3, 3)
REFUSED = {
    "layer": (
        nn.Sequential(ContinuousConv2d(3, 3, 3, kernel=Fixed(3, 3, (3, 3)))),
        {},
        r"PyTorch cannot export layer '0' for any size; .* or export each part",
    ),
    "branches": (
        nn.Sequential(LAYER, Branches()),
        {},
        r"the graph differs from the model by .* on an input of \(.*\) pixels, first "
        r"in layer '1'; tol",
    ),
    "sizes": (
        nn.Sequential(LAYER, nn.ReflectionPad2d(4)),
        {"sizes": [(3, 20)]},
        r"cannot be verified at an input of \(3, 20\) pixels: .*; pass sizes= that",
    ),
    "tolerance": (
        LAYER,
        {"tolerance": 1e-12},
        r"differs .*; tolerance is 1e-12; raise it, or use float64",
    ),
}


@pytest.mark.parametrize("model, options, words", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_leaves_nothing(model, options, words, path):
    path.write_bytes(b"an older one")
    with pytest.raises(ValueError, match=f"(?s){words}"):
        to_onnx(model, path, IMAGE, **options)
    assert path.read_bytes() == b"an older one"
    assert list(path.parent.iterdir()) == [path]


WRONG = {
    "model": ("net", IMAGE, {}, "TypeError: model must be a module, got str"),
    "example": (LAYER, [IMAGE], {}, "TypeError: example must be a tensor, got list"),
    "dtype": (
        LAYER,
        IMAGE.bfloat16(),
        {},
        "TypeError: example must be a tensor of float16, float32 or float64, .* got "
        "torch.bfloat16; convert it",
    ),
    "pixels": (
        LAYER,
        IMAGE[..., :1],
        {},
        r"ValueError: example must be .* at least 2 pixels, got \(1, 3, 9, 1\)",
    ),
    "size": (
        LAYER,
        IMAGE,
        {"size": "output"},
        "ValueError: size must be whole numbers of pixels or \"input\", got 'output'",
    ),
    "bytes": (
        nn.Linear(2**15, 2**14, device="meta"),
        IMAGE,
        {},
        "ValueError: model has 2.0 GiB of parameters, .* less than 2 GiB; export parts",
    ),
    "tolerance": (
        LAYER,
        IMAGE,
        {"tolerance": 0},
        "ValueError: tolerance must be above 0, got 0",
    ),
    "sizes": (
        LAYER,
        IMAGE,
        {"sizes": [(0, 1)]},
        "ValueError: sizes must be at least 1",
    ),
}


def test_no_work_for_a_file_that_cannot_be(path, monkeypatch):
    monkeypatch.setattr(onnx, "_graph", lambda *args: pytest.fail("after the work"))
    path.mkdir()
    for other in (path, path.with_name("x" * 256)):
        with pytest.raises(OSError, match=r"too long|directory"):
            to_onnx(LAYER, other, IMAGE)
    assert [one.name for one in path.parent.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("model, example, options, expected", WRONG.values(), ids=WRONG)
def test_wrong_arguments(model, example, options, expected, path):
    error, words = expected.split(": ", 1)
    with pytest.raises({"TypeError": TypeError}.get(error, ValueError), match=words):
        to_onnx(model, path, example, **options)
    assert not path.exists()


def test_missing_packages(monkeypatch, path):
    def find(name: str) -> object:
        return None if name == "onnxscript" else importlib.util.find_spec(name)

    monkeypatch.setattr(verify, "find_spec", find)
    words = "onnxscript is not installed.*'pip install onnx onnxscript onnxruntime'"
    with pytest.raises(ModuleNotFoundError, match=words):
        to_onnx(LAYER, path, IMAGE)


def test_a_baked_network_of_the_library():
    """Its own class is not needed any more: only its graph."""
    model, image = CCNet(4, scales=[1, 1, 1, 1, 0.5, 0.5, 1]), torch.rand(2, 3, 32, 32)
    baked = bake(model, example=image)
    assert type(baked).__module__ == "torch.fx.graph_module"
    torch.testing.assert_close(baked(image), model(image))


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # torch's own
def test_compiled_package(tmp_path):
    """Exported with free height and width, compiled by C++, loaded, run."""
    layer = ContinuousConv2d(3, 4, 3, scale=0.7391).eval()
    free = {"input": {2: Dim("h", min=4, max=512), 3: Dim("w", min=4, max=512)}}
    program = torch.export.export(
        layer, (torch.rand(1, 3, 12, 17),), dynamic_shapes=free
    )
    package = torch._inductor.aoti_compile_and_package(
        program, package_path=str(tmp_path / "layer.pt2")
    )
    loaded = torch._inductor.aoti_load_package(package)
    for shape in [(12, 17), (31, 8), (40, 50)]:
        image = torch.rand(1, 3, *shape)
        assert_close(loaded(image), layer(image))
