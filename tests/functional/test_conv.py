"""The operator, against the formula in plain loops, F.conv, and what must hold."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from contconv import continuous_conv
from contconv._grid.grid import AxisGrid, resized_axes
from contconv._grid.padding import PADDING_MODES
from contconv._grid.ratio import Ratio
from contconv.kernels import BoxKernel, CosineKernel, GaussianKernel, MLPKernel
from tests.cases import HERE
from tests.combinations import pairs
from tests.oracle import convolve

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def cosine(in_channels: int, out_channels: int, size: tuple[int, ...], **options):
    return CosineKernel(in_channels, out_channels, size, dtype=torch.float64, **options)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def taps_of(kernel, groups: int = 1) -> Tensor:
    """The filter of F.conv that a kernel is at whole distances from its centre."""
    lines = [(k - 1) / 2 - torch.arange(k).double() for k in kernel.kernel_size]
    distances = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1)
    return kernel(distances).movedim((-2, -1), (0, 1))


@pairs(
    engine=HERE,
    mode=PADDING_MODES,
    case={
        "1d": ((7,), ("12/5",), (4,)),
        "pixel": ((1,), ("3",), (7,)),
        "2d": ((5, 3), ("7/3", "2/5"), (3, 4)),
        "ties": ((4, 4), ("1", "1"), (4, 2)),
        "3d": ((2, 3, 4), ("3/2", "1/2", "1"), (2, 3, 2)),
    },
)
def test_equals_the_formula_in_plain_loops(engine, mode, case):
    """Eq. 1 and 2 pixel by pixel, in exact positions."""
    in_shape, scales, size = case
    kernel = cosine(2, 3, size)
    image = noise(2, *in_shape)
    scales = [Fraction(scale) for scale in scales]
    sizes = [math.ceil(s * n) for s, n in zip(scales, in_shape, strict=True)]

    def weights(distance: tuple[float, ...]) -> np.ndarray:
        return kernel(torch.tensor(distance, dtype=torch.float64)).detach().numpy()

    expected = convolve(image.numpy(), weights, scales, sizes, size, mode)
    out = continuous_conv(image, kernel, scale=scales, padding_mode=mode, engine=engine)
    torch.testing.assert_close(out.detach(), torch.from_numpy(expected))


@pairs(
    engine=HERE,
    groups=[1, 2, 4],
    case=[
        *((1, q, k) for q, k in [(1, 1), (1, 5), (2, 2), (3, 3), (4, 6)]),
        *((2, q, k) for q, k in [(1, 3), (2, 4), (3, 5)]),
        *((3, q, k) for q, k in [(2, 2), (1, 3)]),
    ],
)
def test_reduces_to_strided_convolution(engine, groups, case):
    """Sec. 4: at s = 1/q with q of the parity of k, one filter serves every pixel."""
    ndim, q, k = case
    kernel = cosine(4, 8, (k,) * ndim, groups=groups)
    image = noise(2, 4, *(q * n for n in (3, 4, 5)[:ndim]))
    image.requires_grad_()
    bias = noise(8)
    out = continuous_conv(
        image,
        kernel,
        scale=Fraction(1, q),
        groups=groups,
        bias=bias,
        engine=engine,
    )
    expected = CONV[ndim](
        image, taps_of(kernel), bias, stride=q, padding=(k - q) // 2, groups=groups
    )
    torch.testing.assert_close(out, expected)
    inputs = [image, kernel.head]
    probe = torch.randn_like(out)
    torch.testing.assert_close(
        torch.autograd.grad(out, inputs, probe),
        torch.autograd.grad(expected, inputs, probe),
    )


def test_four_by_four_becomes_three_by_six():
    """Fig. 4, worked by hand: g_y = 5n/3 - 1/6 and g_x = 5n/7 - 2/7."""
    axes = resized_axes([4, 4], [3, 3], [Ratio(3, 5), Ratio(7, 5)], None)
    assert [axis.out_size for axis in axes] == [3, 6]
    y, x = (
        [Fraction(axis.position(n), axis.unit) for n in range(axis.out_size)]
        for axis in axes
    )
    assert y == [Fraction(n, 6) for n in (-1, 9, 19)]
    assert x == [Fraction(n, 7) for n in (-2, 3, 8, 13, 18, 23)]
    source, distances, weights = AxisGrid(axes, "zeros").neighbors(
        torch.float64, torch.device("cpu")
    )
    # Output pixel (1, 2) falls at (9/6, 8/7): rows 0 to 3, of which the first and the
    # last lie on the edge, and columns 0 to 2.
    pixel = 1 * 6 + 2
    expected = {
        4 * m_y + m_x: (1.5 - m_y, 8 / 7 - m_x, 0.5 if m_y in (0, 3) else 1.0)
        for m_y, m_x in itertools.product(range(4), range(3))
    }
    found = {
        int(m): (*d.tolist(), float(w))
        for m, d, w in zip(
            source[0, pixel], distances[0, pixel], weights[0, pixel], strict=True
        )
        if w
    }
    assert found.keys() == expected.keys()
    for m, values in expected.items():
        assert found[m] == pytest.approx(values)
    image = torch.rand(1, 3, 4, 4)
    assert continuous_conv(image, "cubic", scale=(0.6, 1.4)).shape == (1, 3, 3, 6)


@pairs(engine=HERE, mode=PADDING_MODES, size=[(4, 4), (3, 3), (4, 3)])
def test_flipping_commutes(engine, mode, size):
    """Ties count half on both edges, so no direction is preferred."""
    kernel = cosine(2, 2, size)

    class Mirrored(CosineKernel):
        def axis_basis(self, distance, axis):
            return super().axis_basis(-distance, axis)

    mirrored = Mirrored(2, 2, size, dtype=torch.float64)
    mirrored.load_state_dict(kernel.state_dict())
    image = noise(1, 2, 6, 5)
    for scale in (1, Fraction(2, 3), Fraction(7, 4)):
        options = {"scale": scale, "padding_mode": mode, "engine": engine}
        out = continuous_conv(image, kernel, **options)
        flipped = continuous_conv(image.flip(2, 3), mirrored, **options)
        torch.testing.assert_close(flipped.flip(2, 3), out)


@pytest.mark.parametrize("engine", HERE)
@pytest.mark.parametrize("scale", ["2/3", "5/4", "3", "1/2"], ids=str)
def test_translation_by_whole_periods(engine, scale):
    """At s = p/q a shift of the input by q pixels shifts the output by p, exactly."""
    scale = Fraction(scale)
    kernel = cosine(1, 2, (4, 3))
    period = scale.denominator
    image = noise(1, 1, 6 * period, 4 * period)
    options = {"scale": scale, "padding_mode": "circular", "engine": engine}
    out = continuous_conv(image, kernel, **options)
    shifted = continuous_conv(
        image.roll((period, 2 * period), (2, 3)), kernel, **options
    )
    expected = out.roll((scale.numerator, 2 * scale.numerator), (2, 3))
    torch.testing.assert_close(shifted, expected)


@pairs(engine=HERE, width=[1, 2, 3, 4, 5], scale=["1", "2", "1/2", "5/3", "3/7"])
def test_box_counts_as_many_pixels_as_it_is_wide(engine, width, scale):
    """Ones under an all-ones box: width ** 2 with ties at half, at even and odd width.

    Where width and grid have no ties, the box holds exactly ``width`` whole pixels.
    """
    ones = torch.ones(1, 1, 12, 12, dtype=torch.float64)
    out = continuous_conv(
        ones,
        BoxKernel(width),
        scale=Fraction(scale),
        padding_mode="circular",
        engine=engine,
    )
    torch.testing.assert_close(out * width**2, torch.full_like(out, width**2))


def centroid(image: Tensor) -> Tensor:
    mass = image.sum()
    rows = torch.arange(image.shape[-2], dtype=image.dtype)
    columns = torch.arange(image.shape[-1], dtype=image.dtype)
    return (
        torch.stack([(image.sum(-1) * rows).sum(), (image.sum(-2) * columns).sum()])
        / mass
    )


def test_even_gaussian_does_not_drift():
    """Fig. 6: a cross, filtered 50 times by a 4x4 Gaussian at s = 1, stays in place."""
    cross = torch.zeros(1, 1, 161, 161, dtype=torch.float64)
    cross[..., 80, 75:86] = cross[..., 75:86, 80] = 1
    kernel = GaussianKernel(0.5, (4, 4))
    weights = taps_of(kernel)
    continuous = discrete = cross
    for _ in range(50):
        continuous = continuous_conv(continuous, kernel)
        # What nn.Conv2d offers for even filters: one pixel more on one side.
        discrete = F.conv2d(F.pad(discrete, (1, 2, 1, 2)), weights)
    drift = (centroid(continuous[0, 0]) - 80).abs().max()
    assert drift < 1e-6
    discrete_drift = (centroid(discrete[0, 0]) - 80).abs()
    torch.testing.assert_close(
        discrete_drift, torch.full_like(discrete_drift, 25.0), atol=0.01, rtol=0
    )


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_support_may_be_wider_than_the_image(mode):
    kernel = MLPKernel(1, 1, (7, 7), dtype=torch.float64)
    out = continuous_conv(noise(1, 1, 1, 2), kernel, scale=3, padding_mode=mode)
    assert out.shape == (1, 1, 3, 6)
    assert out.isfinite().all()


def test_shared_kernel_filters_every_channel_alike():
    kernel = cosine(1, 1, (3, 3))
    image = noise(2, 5, 6, 7)
    together = continuous_conv(image, kernel, scale=0.7)
    apart = [continuous_conv(image[:, c, None], kernel, scale=0.7) for c in range(5)]
    torch.testing.assert_close(together, torch.cat(apart, 1))
    torch.testing.assert_close(
        continuous_conv(image, kernel, scale=0.7, groups=5), together
    )


def test_antialias_covers_every_pixel():
    """A stretched box of one output pixel is the mean over that pixel: avg_pool2d."""
    image = noise(2, 3, 12, 12)
    out = continuous_conv(image, "box", scale=Fraction(1, 4), antialias=True)
    torch.testing.assert_close(out, F.avg_pool2d(image, 4))


def test_antialias_leaves_growing_axes_alone():
    image = noise(1, 1, 8, 8)
    plain = continuous_conv(image, "cubic", scale=1.3)
    torch.testing.assert_close(
        continuous_conv(image, "cubic", scale=1.3, antialias=True), plain
    )
