"""Scales and sizes become whole numbers once, at the door."""

import math
from fractions import Fraction

import numpy as np
import pytest

from contconv._grid.grid import resized_axes
from contconv._grid.ratio import Ratio, as_ratio, as_ratios
from contconv._runtime.arguments import as_sizes


@pytest.mark.parametrize(
    "scale, ratio",
    [
        (2, (2, 1)),
        (0.5, (1, 2)),
        (1.1, (11, 10)),
        (1 / 3, (1, 3)),
        (np.float32(0.25), (1, 4)),
        (np.int64(3), (3, 1)),
        (Fraction(2_000_003, 2_000_001), (2_000_003, 2_000_001)),
        (math.pi, (3126535, 995207)),
    ],
    ids=repr,
)
def test_ratio(scale, ratio):
    assert as_ratio(scale) == ratio


@pytest.mark.parametrize(
    "text, way",
    [
        ("1/3", "; for instance Fraction('1/3') makes a number of it"),
        ("50%", ""),
        ("1/0", ""),
    ],
)
def test_a_text_has_a_way_out_if_it_is_a_number(text, way):
    with pytest.raises(TypeError) as caught:
        as_ratios(text, 1)
    assert str(caught.value).endswith(f"got str{way}")


def test_size_is_the_exact_ceiling():
    """``math.ceil(100 * 1.1)`` is 111: floats do not know what 1.1 was meant to be."""
    for tenths in range(1, 40):
        (axis,) = resized_axes([100], [3], as_ratios(tenths / 10, 1), None)
        assert axis.out_size == 10 * tenths


def test_size_alone_sets_the_scale():
    (axis,) = resized_axes([10], [3], None, as_sizes(14, 1))
    assert (axis.up, axis.down, axis.out_size) == (7, 5, 14)


def test_size_and_scale_are_both_kept():
    (axis,) = resized_axes([10], [3], [Ratio(3, 5)], [9])
    assert (axis.up, axis.down, axis.out_size) == (3, 5, 9)


def test_one_value_serves_all_axes():
    assert as_ratios(0.5, 3) == ((1, 2),) * 3
    assert as_sizes(7, 2) == (7, 7)
    assert as_ratios([2, 0.5], 2) == ((2, 1), (1, 2))
