"""A NaN reaches the output pixels that its pixel has a weight in, and no others."""

import math
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from contconv import ContinuousConv2d, continuous_conv, resize, warp
from contconv.kernels import CosineKernel, SplineKernel
from tests.cases import HERE
from tests.functional.test_resize import exact_rows
from tests.oracle import neighbors, position

SCALES = [Fraction(text) for text in ("1", "1/2", "2/3", "3/4", "2", "1/6")]


def touched(in_size: int, scale: Fraction, width: int, m: int) -> Tensor:
    """In which outputs a pixel lies within the support."""
    size = math.ceil(scale * in_size)
    grid = (position(n, in_size, size, scale) for n in range(size))
    return torch.tensor([m in neighbors(g, Fraction(width)) for g in grid])


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("channels", [(2, 3), (9, 8)], ids=str)
@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("engine", HERE)
def test_in_every_engine(engine, width, channels, learns, number):
    layer = ContinuousConv2d(channels[0], channels[1], width, engine=engine)
    layer.requires_grad_(learns)
    image = torch.randn(1, channels[0], 40, 36)
    image[0, 0, 17, 30] = number
    for scale in SCALES:
        out = layer(image, scale=scale)
        y, x = touched(40, scale, width, 17), touched(36, scale, width, 30)
        assert torch.equal(~out[0, 0].isfinite(), y[:, None] & x), scale


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("engine", HERE)
def test_gradients_in_every_engine(engine, width, number):
    """Of a gradient the pixels that touched it, and the head of its channel."""
    layer = ContinuousConv2d(9, 8, width, engine=engine)
    image = torch.randn(1, 9, 40, 36, requires_grad=True)
    for scale in SCALES:
        out = layer(image, scale=scale)
        size = out.shape[2:]
        probe = torch.ones_like(out)
        probe[0, 1, size[0] // 2, size[1] // 3] = number
        wanted = [image, layer.kernel.head]
        of_image, of_head = torch.autograd.grad(
            out, wanted, probe, create_graph=width == 3
        )
        places = ((40, size[0] // 2), (36, size[1] // 3))
        y, x = (
            torch.stack([touched(n, scale, width, m)[i] for m in range(n)])
            for n, i in places
        )
        assert torch.equal(~of_image[0, 0].isfinite(), y[:, None] & x), scale
        assert of_head.isfinite().all((1, 2)).sum() == 7, scale


@pytest.mark.plain
@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(2), Fraction(739, 1000)])
@pytest.mark.parametrize("engine", ["factored", "separable"])
def test_compiled(engine, scale):
    """Also of a gradient: it comes back to the pixels that touched it."""
    layer = ContinuousConv2d(2, 3, 4, engine=engine, scale=scale)
    compiled = torch.compile(layer, backend="aot_eager")
    image = torch.randn(1, 2, 20, 18)
    image[0, 0, 11, 7] = float("nan")
    image.requires_grad_()
    out = compiled(image)
    y, x = touched(20, scale, 4, 11), touched(18, scale, 4, 7)
    assert torch.equal(out[0, 0].isnan(), y[:, None] & x)
    probe = torch.ones_like(out)
    probe[0, 0, 3, 5] = float("nan")
    (gradient,) = torch.autograd.grad(out, image, probe)
    seen = [
        torch.stack([touched(n, scale, 4, m)[i] for m in range(n)])
        for n, i in ((20, 3), (18, 5))
    ]
    assert torch.equal(gradient[0, 0].isnan(), seen[0][:, None] & seen[1])


@pytest.mark.parametrize("kernel", ["cubic", "linear"])
@pytest.mark.parametrize(
    "shape", [(1, 1, 40, 36), (1, 40, 36, 80)], ids=["few", "many"]
)
def test_resize(shape, kernel):
    """Where weights are 0, as at whole distances, a NaN is not touched either."""
    image = torch.rand(shape)
    image[0, 0, 17, 30] = float("nan")
    y_size, x_size = shape[2:]
    for scales in ((Fraction(1), Fraction(1, 2)), (Fraction(2), Fraction(2, 3))):
        out = resize(image, scale=scales, kernel=kernel, padding_mode="replicate")
        counts = []
        for size, scale, m in zip((y_size, x_size), scales, (17, 30), strict=True):
            rows = exact_rows(size, math.ceil(size * scale), scale, kernel)
            counts.append(torch.tensor([row[m] != 0 for row in rows]))
        assert torch.equal(out[0, 0].isnan(), counts[0][:, None] & counts[1])


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "shape", [(1, 1, 40, 36), (1, 40, 36, 80), (1, 80, 36, 2)], ids=str
)
def test_gradients_of_resize(shape, dtype, number):
    """Those of the pixels that an output is made of, by a dense matrix for each axis.

    By the library, by taps, and by blocks.
    """
    image = torch.rand(shape, dtype=dtype, requires_grad=True)
    for scales, mode in (
        ((Fraction(1, 2), Fraction(3, 2)), "replicate"),
        ((Fraction(2), Fraction(2, 3)), "circular"),
    ):
        out = resize(image, scale=scales, padding_mode=mode)
        probe = torch.rand(out.shape, dtype=dtype)
        probe[0, 0, 5, 1] = number
        (found,) = torch.autograd.grad(out, image, probe, retain_graph=True)
        y, x = (
            torch.tensor([value != 0 for value in rows[at]])
            for n, s, at in zip(shape[2:], scales, (5, 1), strict=True)
            for rows in [exact_rows(n, math.ceil(n * s), s, "cubic", mode)]
        )
        touched = y[:, None] & x
        assert torch.equal(~found[0, 0].isfinite(), touched)
        probe[0, 0, 5, 1] = 0
        (others,) = torch.autograd.grad(out, image, probe)
        kept = found.isfinite()
        torch.testing.assert_close(found[kept], others[kept])


@pytest.mark.parametrize("kernel", ["linear", "cubic", "lanczos2", "lanczos3"])
def test_axis_that_keeps_its_size_is_copied(kernel):
    image = torch.rand(1, 2, 30, 20)
    image[0, 0, 11] = float("inf")
    out = resize(image, scale=(1, 0.5), kernel=kernel)
    assert out[0, 0].isfinite().all(1).sum() == 29
    image[0, 0, 11] = 0
    assert torch.equal(resize(image, scale=1, kernel=kernel), image)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("kernel", ["linear", CosineKernel(1, 2, (3, 3))], ids=str)
def test_warp(kernel, antialias):
    """A corner is all that is repeated outside, and counts nothing there."""
    image = torch.rand(1, 1, 12, 12)
    image[0, 0, 0, 0] = float("nan")
    away = torch.tensor([[1.0, 0.0, -15.0], [0.0, 1.0, 2.0]])
    assert warp(image, kernel, away, antialias=antialias).isfinite().all()
    near = torch.tensor([[1.0, 0.0, 0.2], [0.0, 1.0, 0.2]])
    assert warp(image, kernel, near).isnan().nonzero().tolist()[0][2:] == [0, 0]


def test_points():
    kernel = SplineKernel(1, 1, (3, 3))
    image = torch.rand(1, 1, 6, 6)
    image[0, 0, 2, 2] = float("nan")
    points = torch.tensor([[[2.0, 2.0], [2.0, 3.6]], [[3.4, 3.4], [0.4, 2.0]]])
    out = continuous_conv(image, kernel, points=points)
    assert out[0, 0].isnan().tolist() == [[True, False], [True, False]]
