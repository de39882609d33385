"""Baked modules compute what the layer does, at every size, without the library."""

import copy
import subprocess
import sys
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from contconv import (
    ContinuousConv1d,
    ContinuousConv2d,
    ContinuousConv3d,
    ScaleEnsemble,
    bake,
)
from contconv.kernels import CubicKernel, GaussianKernel
from contconv.models import SuperResolutionNet
from contconv.nn.conv import ContinuousConv
from tests.combinations import pairs

KINDS = {1: ContinuousConv1d, 2: ContinuousConv2d, 3: ContinuousConv3d}
SCALES = [1, 2, 3, 4, *map(Fraction, ("1/2", "1/3", "1/4", "2/3", "3/4", "3/2", "5/2"))]
LARGEST = {1: 18, 2: 9, 3: 4}


def layer_of(ndim: int, kernel_size: int, **options) -> ContinuousConv:
    """A layer in float64, computed by the definition."""
    kind = KINDS[ndim]
    return kind(4, 6, kernel_size, groups=2, engine="reference", **options).double()


def images(ndim: int) -> list[Tensor]:
    """Small images of many sizes, not square; the last without a batch."""
    shapes = [(n, n + 1, max(1, n - 2))[:ndim] for n in range(1, LARGEST[ndim])]
    batched = [torch.randn(2, 4, *shape, dtype=torch.float64) for shape in shapes]
    return [*batched, batched[-1][0]]


def assert_same(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)


@pairs(scale=SCALES, kernel_size=[1, 3, 4], ndim=[*KINDS])
def test_every_size(scale, kernel_size, ndim):
    """Without an example all sizes; with one its own, and those of its kind."""
    layer = layer_of(ndim, kernel_size, scale=scale, antialias=kernel_size == 4)
    too_many = ndim == 3 and scale in (Fraction(3, 4), Fraction(5, 2))
    general = None if too_many else bake(layer)
    for image in images(ndim):
        expected = layer(image)
        if general is not None:
            assert_same(general(image), expected)
        assert_same(bake(layer, example=image)(image), expected)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("scale", [1, 2, Fraction(1, 2), Fraction(3, 2)], ids=str)
def test_padding_modes(scale, mode):
    """Smaller images than the padding are refused, as PyTorch has them."""
    for ndim in KINDS:
        layer = layer_of(ndim, 5, scale=scale, padding_mode=mode)
        baked = bake(layer)
        for image in images(ndim):
            if mode != "replicate" and min(image.shape[-ndim:]) < 5:
                continue
            assert_same(baked(image), layer(image))
        if mode != "replicate":
            with pytest.raises(AssertionError, match=r"needs at least \d pixels on"):
                baked(images(ndim)[0])
            with pytest.raises(ValueError, match="use a larger one, or to_onnx"):
                bake(layer, example=images(ndim)[0])


@pytest.mark.parametrize(
    "options",
    [
        {"size": 8},
        {"size": (5, 9)},
        {"scale": 1, "size": 8},
        {"scale": 2, "size": (7, 31)},
        {"scale": Fraction(2, 3), "size": (7, 2)},
        {"scale": (Fraction(1, 2), 3)},
        {"scale": (1, 2), "bias": False},
        {"scale": 2, "kernel": "mlp"},
        {"scale": 2, "kernel": "spline"},
    ],
    ids=str,
)
def test_sizes_and_options(options):
    layer = layer_of(2, 3, **options)
    for shape in [(10, 12), (16, 7), (1, 3)]:
        image = torch.randn(2, 4, *shape, dtype=torch.float64)
        assert_same(bake(layer, example=image)(image), layer(image))


@pytest.mark.parametrize(
    "kernel", [CubicKernel(), GaussianKernel([[1.0, 0.3], [0.3, 0.5]], (3, 5))]
)
def test_one_filter_for_all_channels(kernel):
    layer = ContinuousConv2d(4, 4, kernel.kernel_size, groups=4, kernel=kernel, scale=2)
    image = torch.randn(2, 4, 7, 8)
    torch.testing.assert_close(bake(layer)(image), layer(image))


def test_float32_and_bfloat16():
    layer = ContinuousConv2d(16, 16, 3, scale=Fraction(2, 3))
    image = torch.randn(1, 16, 33, 34)
    expected = copy.deepcopy(layer).double()(image.double())
    error = (bake(layer)(image) - expected).abs().max() / expected.abs().max()
    assert error < 1e-6
    low = bake(layer.bfloat16())(image.bfloat16())
    assert low.dtype == torch.bfloat16
    assert (low - expected).abs().max() / expected.abs().max() < 0.02


def test_the_modules_are_those_that_people_know():
    """At a scale of 1 and an odd size it is one convolution; doubling, two modules."""
    conv = bake(ContinuousConv2d(3, 4, 3))
    assert type(conv) is nn.Conv2d
    assert conv.padding == (1, 1) and conv.weight.shape == (4, 3, 3, 3)
    double = bake(ContinuousConv2d(3, 4, 4, scale=2))
    kinds = [type(module) for module in double.children()]
    assert kinds == [nn.Conv2d, nn.PixelShuffle]
    half = bake(ContinuousConv2d(3, 4, 4, scale=0.5), example=torch.rand(1, 3, 8, 8))
    assert isinstance(half.conv, nn.Conv2d)
    assert half.conv.weight.shape == (4, 3, 4, 4)
    assert half.conv.stride == (2, 2)


def test_a_baked_layer_learns_and_draws_no_random_numbers():
    layer = ContinuousConv2d(3, 4, 3, scale=2)
    state = torch.get_rng_state()
    baked = bake(layer)
    assert torch.equal(state, torch.get_rng_state())
    baked(torch.rand(1, 3, 5, 5)).sum().backward()
    assert all(one.grad is not None for one in baked.parameters())
    assert all(one.grad is None for one in layer.parameters())


class Net(nn.Module):
    """A layer that is used twice, another within, and functions between them."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = ContinuousConv2d(3, 3, 3, scale=Fraction(1, 2))
        self.inner = nn.Sequential(nn.BatchNorm2d(3), ContinuousConv2d(3, 4, 3, size=8))

    def forward(self, image: Tensor) -> Tensor:
        small = self.shared(image).relu()
        return self.inner(small) + self.shared(small).mean()


def test_networks():
    net, image = Net(), torch.randn(2, 3, 24, 20)
    before = copy.deepcopy(net.state_dict())
    baked = bake(net, example=image)
    assert not any(isinstance(module, ContinuousConv) for module in baked.modules())
    torch.testing.assert_close(baked(image), net(image))
    assert baked.training
    assert isinstance(net.shared, ContinuousConv)
    torch.testing.assert_close(baked.eval()(image), net.eval()(image))
    for name, value in bake(net, example=(image,)).named_parameters():
        assert value.isfinite().all(), name
    for name, value in before.items():
        assert name.startswith("inner.0.") or torch.equal(value, net.state_dict()[name])


def test_a_network_at_other_scales():
    net = nn.Sequential(ContinuousConv2d(3, 3, 3), nn.ReLU(), ContinuousConv2d(3, 3, 3))
    image = torch.rand(1, 3, 9, 12)
    baked = bake(net, [2, Fraction(1, 3)])
    expected = net[2](net[0](image, scale=2).relu(), scale=Fraction(1, 3))
    torch.testing.assert_close(baked(image), expected)
    assert net[0].scale is None
    torch.testing.assert_close(bake(net[0], (2, 1))(image), net[0](image, scale=(2, 1)))


WITHOUT = """
import sys, torch
sys.modules["contconv"] = None
model = torch.load(sys.argv[1], weights_only=False)
image, expected = torch.load(sys.argv[2])
assert not any("contconv" in type(m).__module__ for m in model.modules())
torch.testing.assert_close(model(image), expected)
"""


@pytest.mark.parametrize(
    "model",
    [
        ContinuousConv2d(3, 4, 3, scale=Fraction(2, 3), padding_mode="reflect"),
        nn.Sequential(nn.Conv2d(3, 3, 3), ContinuousConv2d(3, 4, 3, scale=(0.5, 2))),
    ],
    ids=["two thirds", "network"],
)
def test_nothing_of_the_library_is_inside(tmp_path, model):
    """Pickled, and loaded and run where the library is not installed."""
    image = torch.rand(2, 3, 32, 32)
    baked = bake(model, example=image)
    torch.save(baked, tmp_path / "model.pt")
    torch.save((image, model(image)), tmp_path / "check.pt")
    files = [str(tmp_path / name) for name in ("model.pt", "check.pt")]
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, *files], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert b"contconv" not in (tmp_path / "model.pt").read_bytes()


class Own(ContinuousConv2d):
    """A layer that does something else."""

    def forward(self, input: Tensor) -> Tensor:  # type: ignore
        return super().forward(input) + 1


class Calls(nn.Module):
    """A layer whose scale is given at the call."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.other = ContinuousConv2d(3, 3, 3), ContinuousConv2d(3, 3, 3)

    def forward(self, image: Tensor) -> Tensor:
        return self.layer(image, scale=1.5)


def hooked() -> nn.Module:
    layer = ContinuousConv2d(3, 3, 3)
    layer.register_forward_hook(lambda *_: None)
    return layer


def twice() -> nn.Module:
    layer = ContinuousConv2d(3, 3, 3, scale=0.5)
    return nn.Sequential(layer, layer)


IMAGE = torch.rand(1, 3, 10, 12)
REFUSED = {
    "irrational": (
        ContinuousConv2d(3, 3, 3, scale=0.7391),
        None,
        r"the layer cannot be baked: its scale \(7391/10000, 7391/10000\) has 7391 x "
        r"7391 sub-pixel phases, for 10000 x 10000 .* filters, and at most 256 .* "
        r"pass example=, .* use to_onnx, .* such as \(3/4, 3/4\)",
    ),
    "tiny": (
        ContinuousConv2d(3, 3, 3, scale=Fraction(1, 17)),
        None,
        r"has 1 x 1 sub-pixel phases, for 17 x 17 .* such as \(1/17, 1/17\)",
    ),
    "size": (
        nn.Sequential(ContinuousConv2d(3, 3, 3, size=8)),
        None,
        r"layer '0' cannot be baked: it has a size, \(8, 8\), .* pass example=",
    ),
    "symmetric": (
        ContinuousConv2d(3, 3, 3, padding_mode="symmetric"),
        None,
        "PyTorch has no module for padding_mode='symmetric'; use to_onnx, or train",
    ),
    "own forward": (Own(3, 3, 3), None, "its class has a forward of its own; bake"),
    "hooks": (hooked(), None, "it has forward hooks, .*; remove them first"),
    "call": (Calls(), IMAGE, "layer 'layer' .* it is called with scale=, .* to_onnx"),
    "unused": (
        Calls(),
        IMAGE,
        "\nlayer 'other' .* the example does not reach it; pass",
    ),
    "sizes": (
        twice(),
        torch.rand(1, 3, 10, 10),
        r"reaches it at several sizes, \[\(5, 5\), \(10, 10\)\], .*; make a copy",
    ),
    "ensemble": (
        ScaleEnsemble(nn.Sequential(ContinuousConv2d(3, 3, 3)), [[0.5]]),
        None,
        "model is a ScaleEnsemble, .*; bake the network at each",
    ),
    "nothing": (nn.Conv2d(3, 3, 3), None, "no continuous layer to bake, got Conv2d"),
    "functions": (SuperResolutionNet(4, 1), None, "no continuous layer .* to_onnx"),
    "no graph": (
        nn.Sequential(SuperResolutionNet(4, 1), ContinuousConv2d(3, 3, 3)),
        None,
        r"(?s)Sequential cannot be written in PyTorch's modules, .*; use to_onnx",
    ),
}


@pytest.mark.parametrize("model, example, words", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(model, example, words):
    before = repr(model)
    with pytest.raises(ValueError, match=words):
        bake(model, example=example)
    assert repr(model) == before


def test_other_sizes_are_refused_at_the_call():
    baked = bake(ContinuousConv2d(3, 3, 3, scale=0.5), example=torch.rand(1, 3, 8, 9))
    assert baked(torch.rand(1, 3, 10, 3)).shape == (1, 3, 5, 2)
    words = (
        "the layer was baked for inputs that have 1 more pixels than a multiple of 2"
    )
    with pytest.raises(AssertionError, match=f"{words} on axis -1; bake it for this"):
        baked(torch.rand(1, 3, 10, 4))
    fixed = bake(ContinuousConv2d(3, 3, 3, size=4), example=torch.rand(1, 3, 8, 9))
    with pytest.raises(AssertionError, match="that have 8 pixels on axis -2"):
        fixed(torch.rand(1, 3, 9, 9))


@pytest.mark.parametrize(
    "model, scale, words",
    [
        ("layer", None, "model must be a module, got str"),
        (ContinuousConv2d(3, 3, 3), "2", "scale must be an int, a float or a Fraction"),
        (nn.Sequential(ContinuousConv2d(3, 3, 3)), 2, "sequence must be a list with"),
    ],
)
def test_wrong_types(model, scale, words):
    with pytest.raises(TypeError, match=words):
        bake(model, scale)
