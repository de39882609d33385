"""using_scales: by factor, by name, and what it says where branches do not meet."""

from fractions import Fraction
from itertools import permutations

import pytest
import torch
from torch import nn

from contconv import ContinuousConv2d, ScaleEnsemble, using_scales
from contconv.nn.scales import scales_of


class Residual(nn.Module):
    """Two branches that meet."""

    def __init__(self):
        super().__init__()
        self.main = ContinuousConv2d(2, 2, 3, scale=0.5)
        self.side = nn.Sequential(
            ContinuousConv2d(2, 2, 3, scale=(0.5, Fraction(2, 3)))
        )

    def forward(self, image):
        return self.main(image, size=(6, 8)) + self.side(image)


def test_a_factor_is_exact():
    model = Residual()
    with using_scales(model, factor=(0.8, Fraction(9, 7))):
        found = scales_of(model)
    half = Fraction(1, 2)
    assert found == [
        (half * Fraction(4, 5), half * Fraction(9, 7)),
        (half * Fraction(4, 5), Fraction(2, 3) * Fraction(9, 7)),
    ]
    assert scales_of(model)[0] == (half, half)


@pytest.mark.parametrize(
    "names, expected",
    [
        ({"main": 0.6}, [0.6, (0.5, Fraction(2, 3))]),
        ({"s*.0": (0.6, 0.7)}, [0.5, (0.6, 0.7)]),
        ({"*": 0.6, "side.?": 0.7}, [0.6, 0.7]),
    ],
    ids=str,
)
def test_names(names, expected):
    model, other = Residual(), Residual()
    with using_scales(model, names), using_scales(other, expected):
        assert scales_of(model) == scales_of(other)
    assert scales_of(model) == scales_of(Residual())


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_blocks_that_overlap(order):
    """What counts is the block that began last, of those that have not ended."""
    model = nn.Sequential(
        ContinuousConv2d(1, 1, 3, scale=0.5), ContinuousConv2d(1, 1, 3, size=9)
    )
    scales, sizes = [0.7, 0.3, 2.0], [7, 3, 2]
    blocks = [
        using_scales(model, [scale, 1], size=size)
        for scale, size in zip(scales, sizes, strict=True)
    ]
    for block in blocks:
        block.__enter__()
    for i in order:
        blocks[i].__exit__(None, None, None)
        scales[i], sizes[i] = 0, 0  # has ended
        at = max((k for k in range(3) if scales[k]), default=None)
        scale, size = (0.5, 9) if at is None else (scales[at], sizes[at])
        assert model[0].scale == (Fraction(str(scale)),) * 2
        assert model[1].size == (size,) * 2
    assert model[1].scale is None


def test_members_by_name():
    model, image = (
        nn.Sequential(ContinuousConv2d(2, 2, 3, size=4)),
        torch.rand(1, 2, 8, 8),
    )
    named, listed = ScaleEnsemble(model, [{"0": 0.6}]), ScaleEnsemble(model, [[0.6]])
    assert torch.equal(named(image), listed(image))


def test_the_error_has_the_scales():
    """Where branches do not meet: what was changed, and only that."""
    model, image = Residual(), torch.rand(1, 2, 12, 12)
    model(image)
    expected = pytest.raises(RuntimeError, match="size of tensor")
    with expected as caught, using_scales(model, {"side.*": 0.6}):
        model(image)
    (note,) = caught.value.__notes__
    assert "side.0 1/2 x 2/3 -> 3/5;" in note and "main" not in note
    expected = pytest.raises(RuntimeError, match="no such luck")
    with expected as caught, using_scales(model, factor=0.8):
        raise RuntimeError("no such luck")
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize(
    "given, error, words",
    [
        (({"layer*": 0.5},), ValueError, "'layer\\*'; the names are 'main', 'side.0'"),
        (({0: 0.5},), ValueError, "is named 0; the names are"),
        (({"main": "x"},), TypeError, "scale must be an int"),
        ((), ValueError, "give either a sequence of scales, or the factor"),
        (("main",), TypeError, "or a dictionary of scales by name, got 'main'"),
    ],
    ids=str,
)
def test_bad_names(given, error, words):
    model = Residual()
    with pytest.raises(error, match=words), using_scales(model, *given):
        pass
    assert scales_of(model) == scales_of(Residual())
