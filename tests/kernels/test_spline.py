"""SplineKernel: B-splines, against SciPy's and against what is known of them."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from contconv import ContinuousConv2d, continuous_conv
from contconv.kernels import SplineKernel
from experiments.claims import initialisation
from tests.combinations import pairs

DEGREES = pytest.mark.parametrize("degree", [1, 2, 3])


def cosine_transform(count: int) -> Tensor:
    fft = pytest.importorskip("scipy.fft")
    matrix = fft.dct(np.eye(count), type=3, norm="ortho", axis=0)
    return torch.from_numpy(matrix)


@DEGREES
@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_basis_is_scipys_splines_in_the_cosine_transform(degree, count, dtype):
    """On knots and next to them, too, where rounding may tell two sides."""
    interpolate = pytest.importorskip("scipy.interpolate")
    knots = torch.linspace(-4, 4, 17, dtype=dtype)
    next_to = [torch.nextafter(knots, knots + step) for step in (-1, 1)]
    distances = torch.cat([torch.linspace(-4, 4, 321, dtype=dtype), *next_to])
    kernel = SplineKernel(1, 1, (count + degree,), degree=degree)
    half = (degree + 1) / 2
    spline = interpolate.BSpline.basis_element(
        np.arange(degree + 2) - half, extrapolate=False
    )
    centres = np.arange(count) - (count - 1) / 2
    values = np.nan_to_num(spline(distances[:, None].double().numpy() - centres))
    expected = torch.from_numpy(values) @ cosine_transform(count)
    actual = kernel.axis_basis(distances, 0).to(expected)
    bounds = {"rtol": 0, "atol": 1e-14 if dtype == torch.float64 else 2e-6}
    torch.testing.assert_close(actual, expected, **bounds)


@pytest.mark.parametrize("count", [(3, 3), (4, 3)], ids=str)
def test_linear_splines_interpolate_a_convolution(count):
    """At any point, what lies linearly between the pixels of ``F.conv2d``."""
    kernel = SplineKernel(
        2, 3, tuple(n + 1 for n in count), degree=1, dtype=torch.float64
    )
    image = torch.randn(2, 2, 12, 11, dtype=torch.float64)
    head = kernel.head.detach().unflatten(2, count)
    y, x = map(cosine_transform, count)
    # The distance falls where the pixel's number rises.
    filters = torch.einsum("ocab,ya,xb->ocyx", head, y, x).flip(2, 3)
    between = functional.conv2d(image, filters)
    size = torch.tensor(between.shape[2:])
    points = torch.rand(8, 5, 2, dtype=torch.float64) * (size - 1)
    grid = (2 * points / (size - 1) - 1).flip(2).expand(2, -1, -1, -1)
    expected = functional.grid_sample(between, grid, align_corners=True)
    corner = (torch.tensor(count, dtype=torch.float64) - 1) / 2
    actual = continuous_conv(image, kernel, points=points + corner)
    torch.testing.assert_close(actual, expected)


@DEGREES
@pytest.mark.parametrize("scale", [0.37, 0.8, 1, 1.7])
@torch.no_grad()
def test_a_constant_stays_one(degree, scale):
    """At the same value for all scales: that of the control points' sums."""
    layer = ContinuousConv2d(
        2,
        3,
        3 + degree,
        kernel=SplineKernel(2, 3, (3 + degree,) * 2, degree=degree),
        padding_mode="replicate",
        bias=False,
    ).double()
    # Cosines add up to nothing but the first, whose three values are the root of 1/3.
    expected = 3 * layer.kernel.head[:, :, 0].sum(1)
    out = layer(torch.ones(2, 9, 13, dtype=torch.float64), scale=scale)
    torch.testing.assert_close(out, expected[:, None, None].expand_as(out))


@DEGREES
@torch.no_grad()
def test_zero_at_the_edge(degree):
    kernel = SplineKernel(2, 3, (3 + degree, 4 + degree), degree=degree)
    edge = torch.tensor([[(3 + degree) / 2, 0.0], [0.3, -(4 + degree) / 2]])
    assert kernel(edge).abs().max() < 1e-6


def test_as_many_parameters_as_a_convolution():
    kernel = SplineKernel(4, 6, (5, 6), groups=2)
    assert kernel.control_points == (3, 4)
    assert kernel.head.shape == (6, 2, 12)


@pairs(degree=["1", "2", "3"], relu=[False, True], scale=[0.9, 1.1])
def test_activations_neither_vanish_nor_explode_through_20_layers(
    degree, relu, scale, monkeypatch
):
    def new_layer(config, name, size, scale, relu):
        sizes = (config.channels, config.channels)
        kernel = SplineKernel(*sizes, (size, size), degree=int(name))
        kernel.reset_parameters(2**0.5 if relu else 1.0)
        return ContinuousConv2d(*sizes, size, scale=scale, kernel=kernel, bias=False)

    monkeypatch.setattr(initialisation, "_new_layer", new_layer)
    config = initialisation.Config(channels=32, images=2, seeds=4)
    size = 3 + int(degree)
    assert 0.1 < initialisation.growth(config, degree, size, scale, relu)[-1] < 4


def test_a_subclass_with_another_basis_is_evaluated_anew():
    class Doubled(SplineKernel):
        def axis_basis(self, distance, axis):
            return 2 * super().axis_basis(distance, axis)

    assert SplineKernel(1, 1, (5,)).axis_key(0) == SplineKernel(2, 3, (5,)).axis_key(0)
    assert Doubled(1, 1, (5,)).axis_key(0) is None


def test_bad_degree():
    with pytest.raises(ValueError, match=r"^degree must be at least 1, got 0"):
        SplineKernel(1, 1, (5, 5), degree=0)
    with pytest.raises(TypeError, match=r"^degree must be a whole number, got 1.5"):
        SplineKernel(1, 1, (5, 5), degree=1.5)  # type: ignore
    message = r"more than the degree, 2, on every axis, got \(5, 2\); 5 has as many"
    with pytest.raises(ValueError, match=message):
        SplineKernel(1, 1, (5, 2))
