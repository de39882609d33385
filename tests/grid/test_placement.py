"""Grids that lie as those of nn.Conv2d: its output is the oracle."""

from fractions import Fraction
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from contconv import ContinuousConv2d, continuous_conv, explain
from contconv._grid.placement import Placement, as_placements
from contconv.kernels import ContinuousKernel, CosineKernel
from tests.cases import HERE
from tests.combinations import pairs

SIZES = [(7, 12), (8, 9), (11, 12)]


def through(kernel: ContinuousKernel, taps: Tensor, distances: Tensor) -> None:
    """Let a kernel pass through taps, ``[o, c, k, k]``, at the distances of an axis."""
    basis = kernel.basis(torch.cartesian_prod(distances, distances))
    wanted = taps.flatten(2).permute(2, 0, 1).flatten(1)
    found = torch.linalg.lstsq(basis, wanted).solution
    kernel.head.data.copy_(found.view(-1, *taps.shape[:2]).permute(1, 2, 0))


@pairs(engine=HERE, width=[1, 2, 3, 4, 5], stride=[1, 2, 3])
def test_is_a_strided_convolution(width, stride, engine):
    taps = torch.randn(3, 2, width, width, dtype=torch.float64)
    kernel = CosineKernel(2, 3, (width, width), dtype=torch.float64)
    through(kernel, taps, (width - 1) / 2 - torch.arange(width, dtype=torch.float64))
    for padding, size in product(range(width), SIZES):
        image = torch.randn(2, 2, *size, dtype=torch.float64)
        options = {"scale": Fraction(1, stride), "padding": padding, "engine": engine}
        actual = continuous_conv(image, kernel, **options)
        expected = conv2d(image, taps, stride=stride, padding=padding)
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("engine", HERE)
@pytest.mark.parametrize("output_padding", [0, 1])
@pytest.mark.parametrize("padding", [0, 1])
def test_is_a_transposed_convolution(padding, output_padding, engine):
    """Also with output padding, where the grid is not centred."""
    taps = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    kernel = CosineKernel(2, 3, (2, 2), frequencies=4, dtype=torch.float64)
    distances = (torch.arange(4, dtype=torch.float64) - 1.5) / 2
    through(kernel, taps.transpose(0, 1), distances)
    more = 4 - 2 - 2 * padding + output_padding
    where = Placement(more, 2, pixels=0, outputs=2 * padding - 3)
    options = {"scale": 2, "padding": (where, where), "engine": engine}
    for size in SIZES:
        image = torch.randn(2, 2, *size, dtype=torch.float64)
        torch.testing.assert_close(
            continuous_conv(image, kernel, **options),
            conv_transpose2d(
                image, taps, stride=2, padding=padding, output_padding=output_padding
            ),
        )


@pytest.mark.parametrize("engine", HERE)
def test_engines_agree_at_any_scale(engine):
    kernel = CosineKernel(2, 3, (3, 4), dtype=torch.float64)
    image = torch.randn(2, 2, 9, 11, dtype=torch.float64)
    for scale in (0.4, 0.75, (3, 1.37), (Fraction(3, 2), 1)):
        if engine == "periodic" and scale == (3, 1.37):
            continue  # too many phases
        options = {"scale": scale, "padding": (0, 5), "padding_mode": "reflect"}
        torch.testing.assert_close(
            continuous_conv(image, kernel, engine=engine, **options),
            continuous_conv(image, kernel, engine="reference", **options),
        )


def test_layer_keeps_it_at_other_scales():
    """With the padding of half a kernel, the first pixels of both coincide."""
    layer = ContinuousConv2d(1, 1, 3, scale=0.5, padding=1)
    assert layer(torch.rand(1, 1, 9, 8)).shape == (1, 1, 5, 4)
    assert layer(torch.rand(1, 1, 9, 8), scale=0.7).shape == (1, 1, 7, 6)
    assert layer(torch.rand(1, 1, 9, 8), size=3).shape == (1, 1, 3, 3)
    assert "align='first'" in repr(layer)
    text = explain(torch.rand(1, 1, 9, 8), layer.kernel, scale=0.5, padding=1).problem
    assert "from 0 x 0" in text
    points = torch.zeros(2, 2, 2)
    assert layer(torch.rand(1, 1, 9, 8), points=points).shape == (1, 1, 2, 2)


@pytest.mark.parametrize(
    "padding, error, words",
    [
        (-1, ValueError, "padding must be at least 0, got -1"),
        (0.5, TypeError, "padding must be a whole number of pixels, .* got 0.5"),
        ((1, 1, 1), ValueError, "padding must be one value or one for each of the 2"),
    ],
)
def test_bad_padding(padding, error, words):
    with pytest.raises(error, match=words):
        ContinuousConv2d(1, 1, 3, padding=padding)


def test_image_too_small():
    layer = ContinuousConv2d(1, 1, 5, padding=1)
    with pytest.raises(ValueError, match=r"at least 3 pixels on an axis .* got 2"):
        layer(torch.rand(1, 1, 2, 8))
    assert layer(torch.rand(1, 1, 3, 8)).shape == (1, 1, 1, 6)


def test_words():
    assert str(Placement()) == "centred"
    assert str(Placement(-2, pixels=2)) == "-2 pixels more, first at 1"
    assert as_placements(1, (4,)) == (Placement(-1, pixels=1),)
    conv = nn.Conv2d(1, 1, 4, padding=1)
    assert conv(torch.rand(1, 1, 9, 9)).shape[2] == Placement(-1).size(9, 1, 1)
