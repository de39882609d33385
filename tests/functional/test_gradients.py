"""Derivatives of first and second order, by finite differences."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, grad, jacfwd, jacrev, vmap

from contconv import continuous_conv
from contconv.kernels import CosineKernel, GaussianKernel, MLPKernel, SplineKernel
from tests.cases import HERE, skip_refused

KERNELS = {
    "cosine": lambda: CosineKernel(2, 2, (3, 2), dtype=torch.float64),
    "spline": lambda: SplineKernel(2, 2, (4, 3), dtype=torch.float64),
    "mlp": lambda: MLPKernel(2, 2, (3, 2), widths=(5, 3), dtype=torch.float64),
    "gaussian": lambda: GaussianKernel([[1.0, 0.5], [0.5, 1.0]], (3, 3)),
}
GRIDS = {
    "scale": {"scale": (0.7, 1.6)},
    "antialias": {"scale": 0.6, "antialias": True},
    "points": {},
}


# "fused" takes no float64: tests/engines/test_fused.py.
@pytest.fixture(params=HERE)
def engine(request):
    return request.param


@pytest.fixture(params=KERNELS)
def kernel(request):
    return KERNELS[request.param]()


@pytest.fixture(params=GRIDS)
def problem(request, kernel, engine):
    """A function of the image, the points if there are any, and the parameters."""
    names = [name for name, _ in kernel.named_parameters()]
    parameters = [p.detach().clone().requires_grad_() for p in kernel.parameters()]
    image = torch.randn(2, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    options = dict(GRIDS[request.param], engine=engine)
    points = 4 * torch.rand(3, 2, 2, dtype=torch.float64) - 0.5
    given = {"points": points} if request.param == "points" else {}
    skip_refused(engine, image, kernel, {**options, **given})
    if not given:
        return lambda x, *p: call(kernel, names, x, p, options), [image, *parameters]
    return (
        lambda x, g, *p: call(kernel, names, x, p, {**options, "points": g}),
        [image, points.requires_grad_(), *parameters],
    )


def call(kernel, names, image, parameters, options):
    """`continuous_conv` with other parameters in the kernel's place."""
    wrapped = Apply(kernel)
    values = {f"kernel.{n}": p for n, p in zip(names, parameters, strict=True)}
    return functional_call(wrapped, values, (image, options))


class Apply(torch.nn.Module):
    def __init__(self, kernel):
        super().__init__()
        self.kernel = kernel

    def forward(self, image, options):
        return continuous_conv(image, self.kernel, **options)


# Along random directions, in which every derivative takes part.
def test_gradcheck(problem):
    function, inputs = problem
    assert gradcheck(function, inputs, check_forward_ad=True, fast_mode=True)


def test_gradgradcheck(problem):
    function, inputs = problem
    assert gradgradcheck(function, inputs, fast_mode=True)


def test_torch_func(problem):
    """grad, jacrev, jacfwd and vmap give what autograd gives."""
    function, inputs = problem
    inputs = [value.detach() for value in inputs]
    everything = tuple(range(len(inputs)))
    forward = jacfwd(function, everything)(*inputs)
    torch.testing.assert_close(forward, jacrev(function, everything)(*inputs))

    def loss(*values):
        return function(*values).square().sum()

    leaves = [value.clone().requires_grad_() for value in inputs]
    expected = torch.autograd.grad(loss(*leaves), leaves)
    torch.testing.assert_close(grad(loss, everything)(*inputs), expected)
    many = torch.randn(3, *inputs[0].shape, dtype=torch.float64)
    mapped = vmap(lambda image: function(image, *inputs[1:]))(many)
    torch.testing.assert_close(
        mapped, torch.stack([function(image, *inputs[1:]) for image in many])
    )
