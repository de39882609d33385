"""The classical kernels against their textbook formulas."""

import math
import re

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from contconv.kernels import (
    BoxKernel,
    ContinuousKernel,
    CubicKernel,
    GaussianKernel,
    LanczosKernel,
    LinearKernel,
)

ONE_AXIS = {
    "box": lambda: BoxKernel(ndim=1),
    "wide box": lambda: BoxKernel(3, ndim=1),
    "linear": lambda: LinearKernel(ndim=1),
    "cubic": lambda: CubicKernel(ndim=1),
    "cubic -3/4": lambda: CubicKernel(-0.75, ndim=1),
    "lanczos2": lambda: LanczosKernel(2, ndim=1),
    "lanczos3": lambda: LanczosKernel(ndim=1),
    "gaussian": lambda: GaussianKernel(0.49, (10,)),
}
COVARIANCES = {
    "1d": [[0.7]],
    "2d": [[2.0, 1.0], [1.0, 1.0]],
    "3d": [[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.5]],
}


def all_except(*names):
    return pytest.mark.parametrize("name", [n for n in ONE_AXIS if n not in names])


def along(kernel: ContinuousKernel, distance: Tensor) -> Tensor:
    """The weights of a kernel with one axis."""
    return kernel(distance[:, None])[:, 0, 0]


def inside(kernel: ContinuousKernel, steps: int = 500) -> Tensor:
    """The middles of equal steps from one end of the support to the other."""
    half = kernel.kernel_size[0] / 2
    middles = (torch.arange(2 * steps, dtype=torch.float64) + 0.5) / steps - 1
    return half * middles


def keys_cubic(d: np.ndarray, a: float) -> np.ndarray:
    """Keys (1981): the powers written out."""
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d < 1, near, np.where(d < 2, far, 0))


def lanczos(d: np.ndarray, a: int) -> np.ndarray:
    x = np.pi * d
    return a * np.sin(x) * np.sin(x / a) / x**2


FORMULAS = {
    "box": np.ones_like,
    "wide box": lambda d: np.ones_like(d) / 3,
    "linear": lambda d: 1 - d,
    "cubic": lambda d: keys_cubic(d, -0.5),
    "cubic -3/4": lambda d: keys_cubic(d, -0.75),
    "lanczos2": lambda d: lanczos(d, 2),
    "lanczos3": lambda d: lanczos(d, 3),
    "gaussian": lambda d: np.exp(-(d**2) / 0.98) / math.sqrt(2 * math.pi * 0.49),
}


@pytest.mark.parametrize("name", ONE_AXIS)
def test_formula(name):
    kernel = ONE_AXIS[name]()
    distance = inside(kernel)
    expected = torch.from_numpy(FORMULAS[name](distance.abs().numpy()))
    torch.testing.assert_close(along(kernel, distance), expected)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize(
    "build, name",
    [(BoxKernel, "box"), (LinearKernel, "linear"), (CubicKernel, "cubic")],
    ids=["box", "linear", "cubic"],
)
def test_several_axes_multiply(build, name, ndim):
    distances = torch.rand(50, ndim, dtype=torch.float64) - 0.5
    expected = FORMULAS[name](distances.abs().numpy()).prod(-1)
    actual = build(ndim=ndim)(distances)[:, 0, 0]
    torch.testing.assert_close(actual, torch.from_numpy(expected))


@pytest.mark.parametrize("name", COVARIANCES)
def test_gaussian_is_the_normal_density(name):
    covariance = torch.tensor(COVARIANCES[name], dtype=torch.float64)
    kernel = GaussianKernel(covariance)
    distances = torch.randn(50, kernel.ndim, dtype=torch.float64)
    normal = MultivariateNormal(torch.zeros(kernel.ndim).double(), covariance)
    expected = normal.log_prob(distances).exp()
    torch.testing.assert_close(kernel(distances)[:, 0, 0], expected)


def test_one_variance_is_for_all_axes():
    distances = torch.randn(50, 3, dtype=torch.float64)
    expected = GaussianKernel(2 * torch.eye(3))(distances)
    torch.testing.assert_close(GaussianKernel(2.0, ndim=3)(distances), expected)
    torch.testing.assert_close(GaussianKernel(2.0, (5, 5, 5))(distances), expected)


@pytest.mark.parametrize(
    "covariance, size", [(1.0, (6, 6)), ([[4.0, 1.0], [1.0, 0.3]], (12, 4))], ids=str
)
def test_gaussian_support_holds_three_deviations_to_each_side(covariance, size):
    assert GaussianKernel(covariance).kernel_size == size


@all_except("lanczos2", "lanczos3")
def test_unit_integral(name):
    kernel = ONE_AXIS[name]()
    step = kernel.kernel_size[0] / 40_000
    integral = along(kernel, inside(kernel, 20_000)).sum() * step
    torch.testing.assert_close(integral, torch.ones((), dtype=torch.float64))


@pytest.mark.parametrize("lobes", [2, 3, 5])
def test_lanczos_integral_is_within_a_percent(lobes):
    kernel = LanczosKernel(lobes, ndim=1)
    integral = along(kernel, inside(kernel)).mean() * kernel.kernel_size[0]
    assert abs(integral - 1) < 0.01


@pytest.mark.parametrize("name", ONE_AXIS)
def test_even(name):
    kernel = ONE_AXIS[name]()
    distance = inside(kernel)
    assert torch.equal(along(kernel, distance), along(kernel, -distance))


@all_except("lanczos2", "lanczos3", "gaussian")
@pytest.mark.parametrize("phase", [0.01, 0.25, 0.4999, 0.7, 0.99])
def test_partition_of_unity(name, phase):
    """The taps of every sub-pixel position sum to one."""
    kernel = ONE_AXIS[name]()
    half = kernel.kernel_size[0] / 2
    taps = phase + torch.arange(-4, 5, dtype=torch.float64)
    total = along(kernel, taps[taps.abs() <= half]).sum()
    torch.testing.assert_close(total, torch.ones((), dtype=torch.float64))


@all_except("box", "wide box", "gaussian")
def test_interpolates(name):
    """One at the pixel itself, zero at all others."""
    kernel = ONE_AXIS[name]()
    reach = kernel.kernel_size[0] // 2
    pixels = torch.arange(-reach, reach + 1, dtype=torch.float64)
    torch.testing.assert_close(along(kernel, pixels), (pixels == 0).double())


@pytest.mark.parametrize("name", ONE_AXIS)
def test_two_derivatives_everywhere(name):
    """No NaN at the pixel itself, at the knots, nor on the edge of the support."""
    kernel = ONE_AXIS[name]()
    reach = kernel.kernel_size[0]
    distance = (torch.arange(-reach, reach + 1) / 2).double().requires_grad_()
    value = along(kernel, distance)
    if not value.requires_grad:  # the box is a constant
        assert "box" in name
        return
    (slope,) = torch.autograd.grad(value.sum(), distance, create_graph=True)
    assert slope.isfinite().all()
    if slope.requires_grad:
        (curvature,) = torch.autograd.grad(slope.sum(), distance)
        assert curvature.isfinite().all()


@all_except("box", "wide box", "linear")
def test_derivatives_are_those_of_the_formula(name):
    """By central differences, between the knots."""
    kernel = ONE_AXIS[name]()
    distance = inside(kernel, 8).requires_grad_()
    assert torch.autograd.gradcheck(lambda d: along(kernel, d), distance)
    assert torch.autograd.gradgradcheck(lambda d: along(kernel, d), distance)


@pytest.mark.parametrize("name", ONE_AXIS)
def test_nothing_to_learn_nor_to_save(name):
    kernel = ONE_AXIS[name]()
    assert not list(kernel.parameters())
    assert not kernel.state_dict()


BAD_COVARIANCES = {
    "zero": 0.0,
    "negative": -1.0,
    "nan": float("nan"),
    "infinite": float("inf"),
    "vector": [1.0, 2.0],
    "oblong": [[1.0, 0.0]],
    "lopsided": [[1.0, 0.5], [0.4, 1.0]],
    "indefinite": [[1.0, 2.0], [2.0, 1.0]],
    "no variance": [[0.0, 0.0], [0.0, 1.0]],
}


@pytest.mark.parametrize("name", BAD_COVARIANCES)
def test_bad_covariance(name):
    bad = BAD_COVARIANCES[name]
    message = (
        "covariance must be a positive number or a symmetric positive definite "
        f"matrix, got {bad}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        GaussianKernel(bad)


def test_bad_gaussian_size():
    message = "one width for each of the 2 axes of the covariance, got (3,)"
    with pytest.raises(ValueError, match=re.escape(message)):
        GaussianKernel([[1.0, 0.0], [0.0, 1.0]], (3,))


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: LanczosKernel(0), "lobes must be at least 1, got 0"),
        (lambda: BoxKernel(-1), "width must be at least 1, got -1"),
        (lambda: CubicKernel(float("nan")), "a must be finite, got nan"),
        (lambda: LinearKernel(ndim=0), "ndim must be at least 1, got 0"),
        (lambda: BoxKernel(ndim=4), "ndim must be 1 to 3, got 4"),
    ],
    ids=["lobes", "width", "a", "no axes", "four axes"],
)
def test_bad_arguments(build, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        build()
