"""Which distances a kernel sees: counted by hand, and the warning about few."""

import warnings
from fractions import Fraction

import pytest
import torch

from contconv import ContinuousConv2d, ScaleCoverageWarning, coverage, using_scales


@pytest.fixture(autouse=True)
def heard():
    """The warning, which the settings of all tests ignore."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ScaleCoverageWarning)
        yield


def by_hand(in_size: int, scale: Fraction, width: int) -> dict[Fraction, int]:
    """Eq. 2 and the support in fractions."""
    out_size = -(-in_size * scale.numerator // scale.denominator)
    seen: dict[Fraction, int] = {}
    for n in range(out_size):
        g = n / scale + Fraction(in_size - 1, 2) - (out_size - 1) / (2 * scale)
        for m in range(-3 * width, in_size + 3 * width):
            if abs(g - m) <= Fraction(width, 2):
                seen[g - m] = seen.get(g - m, 0) + 1
    return dict(sorted(seen.items()))


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(3, 4), Fraction(17, 10), 3])
@pytest.mark.parametrize("size, width", [(9, 3), (10, 4), (7, 1)])
def test_is_what_fractions_give(size, width, scale):
    (found,) = coverage(scale, size, width, axes=1)
    assert found == by_hand(size, Fraction(scale), width)


def test_grid_from_the_first_pixel():
    (centred,) = coverage(0.5, 8, 3, axes=1)
    (first,) = coverage(0.5, 8, 3, axes=1, padding=1)
    assert list(centred) == [Fraction(n, 2) for n in (-3, -1, 1, 3)]
    assert list(first) == [-1, 0, 1]


def test_few_distances_are_said_once():
    layer = ContinuousConv2d(2, 3, 4, scale=0.5, kernel="mlp")
    image = torch.rand(1, 2, 8, 8)
    words = (
        "scale of 1/2, which shows axis 0 of its kernel 4 distances where it takes 8"
    )
    with pytest.raises(ScaleCoverageWarning, match=words):
        layer(image)
    layer(image)  # said once


def test_other_scales_are_looked_at_anew():
    layer = ContinuousConv2d(2, 3, 4, scale=0.51, kernel="mlp")
    image = torch.rand(1, 2, 100, 100)
    layer(image)
    with using_scales(layer, [0.5]), pytest.raises(ScaleCoverageWarning):
        layer(image)


@pytest.mark.parametrize("kernel", ["cosine", "spline"])
@pytest.mark.parametrize("scale", [0.5, 1, 2, 0.75])
def test_silent_where_the_basis_is_determined(scale, kernel):
    """As many cosines as pixels are known from one look at each pixel."""
    width = 3 if kernel == "cosine" else 5
    ContinuousConv2d(2, 3, width, scale=scale, kernel=kernel)(torch.rand(1, 2, 8, 8))


@pytest.mark.parametrize("case", ["eval", "no_grad", "call", "frozen"])
def test_silent_where_nothing_is_learned_there(case):
    layer = ContinuousConv2d(2, 3, 4, scale=0.5, kernel="mlp")
    layer.train(case != "eval")
    layer.requires_grad_(case != "frozen")
    options = {"scale": 0.5} if case == "call" else {}
    with torch.set_grad_enabled(case != "no_grad"):
        layer(torch.rand(1, 2, 8, 8), **options)
