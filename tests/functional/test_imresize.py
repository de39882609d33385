"""Every bit of MATLAB's imresize, from its published algorithm in exact fractions."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from contconv import resize

Kernel = Callable[[Fraction], Fraction]


def cubic(x: Fraction) -> Fraction:
    x = abs(x)
    if x <= 1:
        return (3 * x**3 - 5 * x**2 + 2) / 2
    return (-(x**3) + 5 * x**2 - 8 * x + 4) / 2 if x <= 2 else Fraction(0)


def triangle(x: Fraction) -> Fraction:
    return max(1 - abs(x), Fraction(0))


def contributions(
    in_length: int, out_length: int, scale: Fraction, kernel: Kernel, mirrored: bool
) -> list[list[Fraction]]:
    """Weights of all pixels in each output: MATLAB counts both from 1."""
    width = Fraction(4 if kernel is cubic else 2)
    stretch = min(scale, Fraction(1))
    width, rows = width / stretch, []
    for x in range(1, out_length + 1):
        u = x / scale + (1 - 1 / scale) / 2
        left = math.floor(u - width / 2)
        indices = range(left, left + math.ceil(width) + 2)
        weights = [stretch * kernel(stretch * (u - index)) for index in indices]
        row = [Fraction(0)] * in_length
        for index, weight in zip(indices, weights, strict=True):
            if mirrored:  # aux = [1:n, n:-1:1]; aux(mod(index - 1, 2 n) + 1)
                place = (index - 1) % (2 * in_length)
                place = min(place, 2 * in_length - 1 - place)
            else:  # min(max(1, index), n)
                place = min(max(1, index), in_length) - 1
            row[place] += weight / sum(weights)
        rows.append(row)
    return rows


def imresize(
    image: np.ndarray,
    scales: Sequence[Fraction],
    sizes: Sequence[int],
    kernel: Kernel,
    mirrored: bool,
) -> np.ndarray:
    """A picture ``[h, w]`` of bytes; rounded after each axis, smaller scale first."""
    for dim in sorted((0, 1), key=lambda dim: scales[dim]):
        rows = contributions(
            image.shape[dim], sizes[dim], scales[dim], kernel, mirrored
        )
        over = math.lcm(*(value.denominator for row in rows for value in row))
        whole = np.array([[int(value * over) for value in row] for row in rows], object)
        sums = np.moveaxis(np.tensordot(whole, image.astype(object), (1, dim)), 0, dim)
        image = np.clip((2 * sums + over) // (2 * over), 0, 255).astype(np.uint8)
    return image


def picture(height: int, width: int) -> np.ndarray:
    """Noise between black and white, and lines along the edges."""
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (height, width), dtype=np.uint8)
    image[::2] = image[::2] // 128 * 255
    image[0], image[-1], image[:, 0] = 0, 255, 255
    return image


# None of the sizes is whole.
SCALES = [
    "1/2",
    "1/3",
    "2/5",
    "3/7",
    "1/6",
    "11/10",
    "17/10",
    "5/2",
    "1/4 3/4",
    "3 1/2",
]


@pytest.mark.parametrize("mode", ["replicate", "symmetric"])
@pytest.mark.parametrize("kernel", [cubic, triangle])
@pytest.mark.parametrize("given", SCALES)
def test_by_a_scale(given, kernel, mode):
    scales = [Fraction(text) for text in (2 * given.split())[:2]]
    image = picture(25, 31)
    sizes = [math.ceil(s * n) for s, n in zip(scales, image.shape, strict=True)]
    expected = imresize(image, scales, sizes, kernel, mode == "symmetric")
    out = resize(
        torch.from_numpy(image)[None, None],
        scale=scales,
        kernel="cubic" if kernel is cubic else "linear",
        padding_mode=mode,
        align="edge",
    )
    assert np.array_equal(out[0, 0].numpy(), expected)


@pytest.mark.parametrize("options", [{"align": "edge"}, {}], ids=["edge", "center"])
@pytest.mark.parametrize("sizes", [(13, 11), (40, 31), (9, 62), (25, 8)], ids=str)
def test_to_a_size(sizes, options: dict[str, Any]):
    """Where both extents are whole, the grid is the same, centred or not."""
    image = picture(25, 31)
    scales = [Fraction(n, size) for n, size in zip(sizes, image.shape, strict=True)]
    expected = imresize(image, scales, sizes, cubic, False)
    out = resize(torch.from_numpy(image)[None, None], size=sizes, **options)
    assert np.array_equal(out[0, 0].numpy(), expected)


def test_vertical_axis_first_at_equal_scales():
    """A picture and its transpose differ: what is rounded in between tells."""
    image = picture(24, 24)
    down = [Fraction(1, 3)] * 2
    expected = imresize(image, down, (8, 8), cubic, False)
    turned = imresize(image.T.copy(), down, (8, 8), cubic, False).T
    assert not np.array_equal(expected, turned)
    out = resize(torch.from_numpy(image)[None, None], scale=Fraction(1, 3))
    assert np.array_equal(out[0, 0].numpy(), expected)
