"""Positions, windows and ties, against exact fractions."""

import math
from fractions import Fraction
from itertools import pairwise

import pytest
import torch

from contconv._grid.axis import Axis
from contconv._grid.taps import axis_taps
from tests.oracle import neighbors, position

RATIOS = sorted({Fraction(up, down) for up in range(1, 13) for down in range(1, 13)})


def axis_of(in_size: int, scale: Fraction, support: int, **options) -> Axis:
    out_size = options.pop("out_size", math.ceil(scale * in_size))
    return Axis(
        in_size, out_size, scale.numerator, scale.denominator, support, **options
    )


def windows(axis: Axis) -> list[tuple[int, int, bool, bool]]:
    """First and last pixel of each window, and which of them count half."""
    first = axis.first_neighbor(torch.arange(axis.out_size))
    weight = axis_taps(axis, "replicate", torch.float64, None).weight
    if axis.stretched:
        weight = weight * axis.down / axis.up
    count = (weight > 0).sum(1)
    half = weight == 0.5
    last_half = half.gather(1, count[:, None] - 1)[:, 0]
    # Nothing but the two ends may differ from 1, and what follows the last is 0.
    assert torch.equal(weight.sum(1), count - 0.5 * half.sum(1))
    assert not half[:, 1:].sum(1).gt(last_half).any()
    rows = (first, first + count - 1, half[:, 0], last_half)
    return list(zip(*(row.tolist() for row in rows), strict=True))


def exact_window(g: Fraction, width: Fraction) -> tuple[int, int, bool, bool]:
    low, high = g - width / 2, g + width / 2
    ends = math.ceil(low), math.floor(high)
    return (*ends, low.denominator == 1, high.denominator == 1)


@pytest.mark.parametrize(
    "up, down, sizes, supports",
    [
        *((up, 5, 9, 5) for up in range(1, 6)),
        *(pytest.param(up, 12, 64, 7, marks=pytest.mark.slow) for up in range(1, 13)),
    ],
)
def test_windows_are_exact(up, down, sizes, supports):
    """Of all ratios over 1 to ``down``, all sizes and supports up to the largest."""
    for scale in (r for r in RATIOS if r.numerator == up and r.denominator <= down):
        for in_size in range(1, sizes + 1):
            out_size = math.ceil(scale * in_size)
            grid = [position(n, in_size, out_size, scale) for n in range(out_size)]
            for support in range(1, supports + 1):
                axis = axis_of(in_size, scale, support)
                numbers = axis.position(torch.arange(out_size)).tolist()
                assert [Fraction(number, axis.unit) for number in numbers] == grid
                expected = [exact_window(g, Fraction(support)) for g in grid]
                assert windows(axis) == expected, axis
                most = max(last - first + 1 for first, last, _, _ in expected)
                assert axis.taps == most, axis
                assert axis.has_ties == any(tie for _, _, tie, _ in expected), axis


@pytest.mark.parametrize("scale", [r for r in RATIOS if r < 1][::3], ids=str)
def test_stretched_windows_are_exact(scale):
    """Antialiasing widens the support to support / scale."""
    for in_size in (1, 2, 5, 12, 33):
        for support in (1, 2, 3, 4):
            axis = axis_of(in_size, scale, support, antialias=True)
            expected = [
                exact_window(
                    position(n, in_size, axis.out_size, scale), support / scale
                )
                for n in range(axis.out_size)
            ]
            assert windows(axis) == expected, axis
            assert axis.taps >= max(last - first + 1 for first, last, _, _ in expected)


@pytest.mark.parametrize("scale", [Fraction(7, 3), Fraction(5, 11), Fraction(1)])
@pytest.mark.parametrize("antialias", [False, True], ids=["plain", "antialias"])
def test_taps_are_distances_to_the_window(scale, antialias):
    """Each tap: the pixel, its distance as the kernel sees it, and its weight."""
    axis = axis_of(9, scale, 4, antialias=antialias)
    source, distance, weight = axis_taps(axis, "circular", torch.float64, None)
    stretch = min(scale, Fraction(1)) if antialias else Fraction(1)
    for n in range(axis.out_size):
        g = position(n, 9, axis.out_size, scale)
        expected = {
            (m % 9, float((g - m) * stretch)): float(part * stretch)
            for m, part in neighbors(g, 4 / stretch).items()
        }
        rows = zip(
            *(row[n].tolist() for row in (source, distance, weight)), strict=True
        )
        assert {(m, d): w for m, d, w in rows if w} == pytest.approx(expected)


@pytest.mark.parametrize("out_size", [1, 4, 7, 20])
def test_scale_and_size_together_keep_the_scale_and_the_centre(out_size):
    axis = axis_of(10, Fraction(3, 5), 3, out_size=out_size)
    g = [Fraction(int(axis.position(n)), axis.unit) for n in range(out_size)]
    assert g[0] + g[-1] == 9
    assert all(b - a == Fraction(5, 3) for a, b in pairwise(g))


@pytest.mark.parametrize("scale", RATIOS[::5], ids=str)
def test_phases_count_the_subpixel_offsets(scale):
    axis = axis_of(48, scale, 3)
    offsets = {axis.position(n) % axis.unit for n in range(axis.out_size)}
    assert axis.phases == len(offsets)


def test_whole_numbers_never_leave_int64():
    scale = Fraction(999_999, 1_000_000)
    axis = axis_of(10**6, scale, 3)
    n = axis.out_size - 1
    last = int(axis.position(torch.tensor([n])))
    assert Fraction(last, axis.unit) == position(n, 10**6, axis.out_size, scale)
