"""The separable engine: every order of its steps, its derivatives, its refusals."""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, jacfwd, jacrev, vmap

from contconv import continuous_conv
from contconv._grid.grid import AxisGrid, resized_axes
from contconv._grid.padding import PADDING_MODES
from contconv._grid.ratio import as_ratios
from contconv.engines import Problem
from contconv.engines.separable import engine as separable
from contconv.engines.separable.plan import HEAD, best_plan
from contconv.engines.separable.steps import run_steps
from contconv.kernels import CosineKernel, CubicKernel, MLPKernel, SeparableKernel
from tests.combinations import pairs


class LearnedBasis(SeparableKernel):
    """A separable kernel whose basis has parameters of its own."""

    def __init__(self) -> None:
        super().__init__((3, 2))
        self.slope = nn.Parameter(torch.randn(2, 2, dtype=torch.float64))
        self.head = nn.Parameter(torch.randn(3, 2, 4, dtype=torch.float64))

    def axis_basis(self, distance: Tensor, axis: int) -> Tensor:
        return torch.cos(distance[..., None] * self.slope[axis] + axis)


SCALES = [(0.4, 0.7), (1.2, 1.3), (2.7, 2.3), (0.3, 3.1), (3.1, 0.3), (1, 1)]


def both(image: Tensor, kernel, **options) -> tuple[Tensor, Tensor]:
    actual = continuous_conv(image, kernel, **options, engine="separable")
    return actual, continuous_conv(image, kernel, **options, engine="reference")


@pairs(scale=SCALES, mode=PADDING_MODES, grad=[False, True])
def test_agrees_over_many_blocks(scale, mode, grad):
    """Sizes of several blocks, so that windows inside and at the edges both occur."""
    kernel = CosineKernel(3, 4, (4, 3), dtype=torch.float64)
    image = torch.randn(2, 3, 41, 37, dtype=torch.float64)
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(*both(image, kernel, scale=scale, padding_mode=mode))


@pairs(shape=[(40,), (19, 35), (3, 20, 18)], scale=[0.6, 1.2, 2.8], groups=[1, 2, 4])
def test_dimensions_and_groups(shape, scale, groups):
    kernel = CosineKernel(4, 4, (3,) * len(shape), groups=groups, dtype=torch.float64)
    image = torch.randn(2, 4, *shape, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(*both(image, kernel, scale=scale, groups=groups))


@pytest.mark.parametrize(
    "size, options",
    [
        ((3, 3), {"scale": (1, 2.5), "size": (50, 4)}),  # bands that see no pixel
        ((4, 1), {"scale": (3.886, 1), "padding_mode": "circular"}),  # wrapped windows
    ],
    ids=str,
)
def test_odd_bands(size, options):
    """What random cases found."""
    kernel = CosineKernel(2, 3, size, dtype=torch.float64)
    image = torch.randn(2, 2, 28, 12, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(*both(image, kernel, **options))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    "order", [(HEAD, 1, 0), (1, HEAD, 0), (0, HEAD, 1), (1, 0, HEAD)]
)
def test_the_steps_commute(order, exact):
    kernel = CosineKernel(2, 3, (3, 4), frequencies=(2, 5), dtype=torch.float64)
    image = torch.randn(2, 2, 9, 23, dtype=torch.float64)
    axes = resized_axes((9, 23), (3, 4), as_ratios((1.3, 0.8), 2), None)
    problem = Problem(image, kernel, AxisGrid(axes, "reflect"), 1)
    head, weights, _ = separable.steps(problem)
    expected = continuous_conv(
        image, kernel, scale=(1.3, 0.8), padding_mode="reflect", engine="reference"
    )
    actual = run_steps(image, head, weights, order, exact=exact)
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize(
    "scale, order",
    [
        ((4, 4), (HEAD, 1, 0)),
        ((1.3, 1.3), (1, HEAD, 0)),
        ((0.2, 0.2), (1, 0, HEAD)),
        ((0.3, 4), (0, HEAD, 1)),
    ],
)
def test_the_order_follows_the_scale(scale, order):
    axes = resized_axes((64, 64), (3, 3), as_ratios(scale, 2), None)
    assert best_plan(axes, (3, 3), (64, 64)).order == order


def problem_of(kernel, scale):
    names = [name for name, _ in kernel.named_parameters()]
    image = torch.randn(2, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    leaves = [image, *(p.detach().requires_grad_() for p in kernel.parameters())]

    def function(x, *values):
        state = dict(zip([f"kernel.{name}" for name in names], values, strict=True))
        options = {"scale": scale, "engine": "separable"}
        return functional_call(Holder(kernel), state, (x, options))

    return function, leaves


class Holder(nn.Module):
    def __init__(self, kernel):
        super().__init__()
        self.kernel = kernel

    def forward(self, image, options):
        return continuous_conv(image, self.kernel, **options)


@pytest.mark.parametrize("scale", [(0.7, 1.6), (1.6, 1.6), 0.5], ids=str)
@pytest.mark.parametrize(
    "kernel", [LearnedBasis, lambda: CosineKernel(2, 2, (3, 2), dtype=torch.float64)]
)
def test_derivatives(kernel, scale):
    function, leaves = problem_of(kernel(), scale)
    assert gradcheck(function, leaves, check_forward_ad=True, fast_mode=True)
    assert gradgradcheck(function, leaves, fast_mode=True)


@pytest.mark.parametrize("scale", [0.6, 1.6])
def test_torch_func(scale):
    function, leaves = problem_of(LearnedBasis(), scale)
    inputs, everything = [leaf.detach() for leaf in leaves], tuple(range(3))
    torch.testing.assert_close(
        jacfwd(function, everything)(*inputs), jacrev(function, everything)(*inputs)
    )
    many = torch.randn(3, *inputs[0].shape, dtype=torch.float64)
    with torch.no_grad():
        mapped = vmap(lambda image: function(image, *inputs[1:]))(many)
        expected = torch.stack([function(image, *inputs[1:]) for image in many])
    torch.testing.assert_close(mapped, expected)


def test_all_gradients_agree():
    kernel = LearnedBasis()
    image = torch.randn(2, 2, 20, 7, dtype=torch.float64, requires_grad=True)
    leaves = [image, *kernel.parameters()]
    actual, expected = both(image, kernel, scale=(0.7, 1.6), padding_mode="symmetric")
    probe = torch.randn_like(expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual, leaves, probe),
        torch.autograd.grad(expected, leaves, probe),
    )


@pairs(
    scale=[0.6, 2.4],
    shape=[(50,), (31, 37), (9, 8, 7)],
    io=[(3, 16), (16, 3), (2, 2), (1, 1)],
)
def test_few_channels(scale, shape, io: tuple[int, int]):
    kernel = CosineKernel(*io, (3,) * len(shape), dtype=torch.float64)
    image = torch.randn(3, io[0], *shape, dtype=torch.float64, requires_grad=True)
    actual, expected = both(image, kernel, scale=scale, padding_mode="reflect")
    torch.testing.assert_close(actual, expected)
    probe, leaves = torch.randn_like(actual), (image, kernel.head)
    torch.testing.assert_close(
        torch.autograd.grad(actual, leaves, probe),
        torch.autograd.grad(expected, leaves, probe),
    )


def test_channels_last_and_classical():
    image = torch.randn(2, 3, 40, 21, dtype=torch.float64)
    last = image.contiguous(memory_format=torch.channels_last)
    actual, expected = both(last, CubicKernel(), scale=1.7, padding_mode="replicate")
    torch.testing.assert_close(actual, expected)
    assert actual.is_contiguous(memory_format=torch.channels_last)


def test_outputs_beyond_the_image():
    """A grid far wider than the image: some blocks have no input at all."""
    kernel = CosineKernel(2, 3, (3, 3), dtype=torch.float64)
    image = torch.randn(1, 2, 5, 4, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(*both(image, kernel, scale=1.5, size=(70, 90)))
        torch.testing.assert_close(*both(image, kernel, scale=0.5, size=(70, 90)))


def test_refuses_what_is_not_separable():
    image = torch.randn(1, 2, 5, 4)
    with pytest.raises(ValueError, match="MLPKernel is not a product over the axes"):
        continuous_conv(image, MLPKernel(2, 2, (3, 3)), engine="separable")
    kernel, points = CosineKernel(2, 2, (3, 3)), torch.zeros(1, 1, 2)
    with pytest.raises(ValueError, match="points are not"):
        continuous_conv(image, kernel, points=points, engine="separable")


def test_cost_is_less_than_a_convolution_when_enlarging():
    kernel = CosineKernel(64, 64, (3, 3))
    axes = resized_axes((64, 64), (3, 3), as_ratios(3, 2), None)
    problem = Problem(torch.zeros(1, 64, 64, 64), kernel, AxisGrid(axes, "zeros"), 1)
    cost = separable.cost(problem)
    assert cost.multiply_adds < 0.6 * 192**2 * 9 * 64 * 64
    assert cost.memory > 0
