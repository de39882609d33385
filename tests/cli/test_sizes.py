"""Sizes as people say them, in exact numbers."""

from fractions import Fraction

import pytest

from contconv_cli.errors import PictureError
from contconv_cli.sizes import as_wanted


@pytest.mark.parametrize(
    ("options", "size", "expected", "label"),
    [
        # In floating point, 100 times 1.1 needs 111 pixels.
        ({"scale": "1.1"}, (100, 30), (110, 33), "1.1x"),
        ({"scale": "8/3x1.5"}, (3, 5), (8, 8), "8-3x1.5x"),
        ({"scale": "2x"}, (3, 5), (6, 10), "2x"),
        ({"scale": "x2"}, (3, 5), (6, 10), "2x"),
        ({"scale": "50% 200%"}, (3, 5), (2, 10), "0.5x2x"),
        ({"scale": "2x 3x"}, (3, 5), (6, 15), "2x3x"),
        ({"size": "640x480"}, (3, 5), (480, 640), "640x480"),
        ({"size": "640 480"}, (3, 5), (480, 640), "640x480"),
        ({"size": "640 x 480"}, (3, 5), (480, 640), "640x480"),
        ({"width": 120}, (40, 60), (80, 120), "120w"),
        ({"height": 120}, (40, 60), (120, 180), "120h"),
        ({"longest": 120}, (60, 40), (120, 80), "120px"),
        ({"longest": 3}, (1000, 1), (3, 1), "3px"),
        ({"fit": "1920x1080"}, (3000, 4000), (1080, 1440), "1920x1080"),
        ({"fit": "120x120"}, (40, 60), (80, 120), "120x120"),
        # 5 x 7 / 2 is 2.5 beside 1.5: halves go up.
        ({"width": 5}, (7, 10), (4, 5), "5w"),
        ({"width": 9, "height": 8}, (3, 5), (8, 9), "9x8"),
    ],
)
def test_what_a_picture_becomes(options, size, expected, label):
    wanted = as_wanted(**options)
    assert wanted.of(size) == expected
    assert wanted.label == label


def test_ratios_are_exact():
    wanted = as_wanted(scale="8/3 50%")
    assert wanted.scale == (Fraction(8, 3), Fraction(1, 2))


@pytest.mark.parametrize(
    ("size", "of", "distorts"),
    [
        ("1920x1080", (2160, 3840), False),
        ("1280x853", (4000, 6000), False),  # of 853.33
        ("1280x854", (4000, 6000), False),
        ("1280x855", (4000, 6000), True),
        ("120x120", (40, 60), True),
    ],
)
def test_a_size_that_would_distort_says_so(size, of, distorts):
    check = as_wanted(size=size).check
    if not distorts:
        return check(of, 10**9, growing=False)
    with pytest.raises(PictureError, match="--stretch"):
        check(of, 10**9, growing=False)
    as_wanted(size=size, stretch=True).check(of, 10**9, growing=False)
