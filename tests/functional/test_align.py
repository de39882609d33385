"""Where the grid lies: formulas in fractions, PyTorch's and SciPy's resampling."""

import math
from fractions import Fraction
from itertools import product

import pytest
import torch
from scipy import signal
from torch import Tensor, nn
from torch.nn.functional import interpolate

from contconv import ContinuousConv2d, LearnableScale, continuous_conv, explain, resize
from contconv._grid.grid import resized_axes
from contconv._grid.placement import as_placements
from contconv.export.bake import bake
from contconv.export.saving import load, save
from contconv.kernels import CosineKernel, CubicKernel, LanczosKernel
from tests.cases import HERE

SCALES = [Fraction(text) for text in ("1/2", "3/7", "1", "9/7", "5/2", "10/3")]
FIRST = {
    "edge": lambda scale: (1 / scale - 1) / 2,
    "first": lambda scale: Fraction(0),
}


@pytest.mark.parametrize("align", FIRST)
def test_positions_are_exact(align):
    for scale, in_size, size in product(SCALES, range(1, 12), (None, 5)):
        where = as_placements(None, (3,), align)
        (axis,) = resized_axes((in_size,), (3,), scale, size, placements=where)
        assert axis.out_size == (size or math.ceil(scale * in_size))
        for n in range(axis.out_size):
            g = Fraction(axis.position(n), axis.unit)
            assert g == FIRST[align](scale) + n / scale


@pytest.mark.parametrize("engine", HERE)
@pytest.mark.parametrize("align", FIRST)
def test_engines_sample_there(align, engine):
    """Against the same points, one by one."""
    kernel = CosineKernel(2, 3, (3, 4), dtype=torch.float64)
    image = torch.randn(2, 2, 9, 11, dtype=torch.float64)
    for scale in (Fraction(2, 5), Fraction(7, 4)):
        first = float(FIRST[align](scale))
        sizes = [math.ceil(scale * m) for m in (9, 11)]
        lines = [torch.arange(n).double() / float(scale) + first for n in sizes]
        points = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1)
        out = continuous_conv(image, kernel, scale=scale, align=align, engine=engine)
        torch.testing.assert_close(out, continuous_conv(image, kernel, points=points))


@pytest.mark.parametrize("scale", [0.5, 0.3, 1.7])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_edge_is_interpolate_with_a_factor(mode, scale):
    """Which drops the last partial pixel."""
    image = torch.rand(1, 2, 25, 31, dtype=torch.float64)
    expected = interpolate(
        image, scale_factor=scale, mode=mode, recompute_scale_factor=False
    )
    kernel = "linear" if mode == "bilinear" else CubicKernel(-0.75)
    out = resize(image, scale=scale, kernel=kernel, antialias=False, align="edge")
    height, width = expected.shape[2:]
    torch.testing.assert_close(out[..., :height, :width], expected)


@pytest.mark.parametrize("length", [4410, 4411, 4500])
def test_first_keeps_the_time_of_samples(length):
    """A tone at another rate is the same tone, whatever the length of the clip."""
    tone = [
        torch.sin(2 * math.pi * 440 * torch.arange(n, dtype=torch.float64) / rate)
        for n, rate in ((length, 44100), (math.ceil(length * 160 / 147), 48000))
    ]
    options = {"scale": Fraction(48000, 44100), "kernel": LanczosKernel(16, ndim=1)}
    out = resize(tone[0][None, None], align="first", **options)[0, 0]
    inner = slice(200, -200)
    torch.testing.assert_close(out[inner], tone[1][inner], rtol=0, atol=2e-3)
    other = signal.resample_poly(tone[0].numpy(), 160, 147)
    assert len(out) == len(other)
    torch.testing.assert_close(
        out[inner], torch.from_numpy(other)[inner], rtol=0, atol=5e-3
    )


def test_center_and_edge_are_one_where_sizes_are_whole():
    image = torch.rand(1, 1, 12, 9)
    for scale in (Fraction(2, 3), Fraction(1, 3), 2):
        out = resize(image, scale=scale, align="edge")
        torch.testing.assert_close(out, resize(image, scale=scale), rtol=0, atol=1e-6)


class TestLayer:
    """A layer keeps it through all that is made of it."""

    image = torch.rand(2, 3, 13, 11)

    @pytest.fixture(params=FIRST)
    def layer(self, request) -> ContinuousConv2d:
        scale = (Fraction(2, 3), Fraction(1, 2))
        return ContinuousConv2d(3, 4, 3, scale=scale, align=request.param).eval()

    def expected(self, layer: ContinuousConv2d, image: Tensor) -> Tensor:
        lines = [
            torch.arange(math.ceil(s * m)) / float(s) + float(first)
            for m, s in zip(image.shape[2:], layer.scale or (), strict=True)
            for first in [FIRST["edge" if "edge" in repr(layer) else "first"](s)]
        ]
        points = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1)
        return continuous_conv(image, layer.kernel, points=points, bias=layer.bias)

    def test_output_and_words(self, layer):
        torch.testing.assert_close(layer(self.image), self.expected(layer, self.image))
        assert ("align='edge'" in repr(layer)) != ("align='first'" in repr(layer))
        assert ", from " in layer.explain(self.image).problem

    def test_saved_and_baked(self, layer, tmp_path):
        save(layer, tmp_path / "layer.safetensors")
        loaded = load(tmp_path / "layer.safetensors")
        assert repr(loaded) == repr(layer)
        baked = bake(nn.Sequential(layer))
        for size in ((13, 11), (14, 12), (15, 10), (6, 7)):
            image = torch.rand(1, 3, *size)
            expected = self.expected(layer, image)
            torch.testing.assert_close(loaded(image), expected)
            torch.testing.assert_close(baked(image), expected, rtol=1e-4, atol=1e-5)

    def test_learned_scale(self, layer):
        own = ContinuousConv2d(
            *(3, 4, 3),
            scale=LearnableScale([2 / 3, 1 / 2]),
            align="edge" if "edge" in repr(layer) else "first",
            kernel=layer.kernel,
        )
        own.bias = layer.bias
        expected = self.expected(layer, self.image)
        torch.testing.assert_close(own(self.image), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("apply", [continuous_conv, explain, resize])
def test_bad_name(apply):
    with pytest.raises(ValueError, match=r"align must be one of .* got 'corner'"):
        apply(torch.rand(1, 1, 5, 5), kernel="cubic", scale=2, align="corner")


def test_one_of_two():
    with pytest.raises(ValueError, match="padding and align='edge' both say where"):
        ContinuousConv2d(1, 1, 3, padding=1, align="edge")
    points = torch.zeros(1, 2)
    with pytest.raises(ValueError, match=r"leave out .* align and antialias"):
        continuous_conv(torch.rand(1, 1, 5, 5), "cubic", points=points, align="first")
