"""Derivatives of first and second order, by finite differences."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, grad, jacfwd, jacrev, vmap

from contconv import continuous_conv, warp
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


def gradients(engine, name, dtype, images=1, **options):
    """The gradients of a call with many channels, and what they are of."""
    torch.manual_seed(1)
    kernel = WIDE[name]().to(dtype)
    image = torch.randn(images, 16, 9, 8).to(dtype).requires_grad_()
    skip_refused(engine, image, kernel, {"scale": 0.739})
    out = continuous_conv(image, kernel, scale=0.739, engine=engine)
    leaves = [image, *kernel.parameters()]
    probe = torch.randn(3, *out.shape, dtype=torch.float64).to(dtype)
    return out, leaves, probe


WIDE = {
    "cosine": lambda: CosineKernel(16, 16, (3, 3)),
    "spline": lambda: SplineKernel(16, 16, (3, 3)),
    "mlp": lambda: MLPKernel(16, 16, (3, 3), widths=(8, 5)),
}


@pytest.mark.parametrize("name", WIDE)
def test_float32(engine, name):
    """As in float64, for what only runs in float32: a percent too much is noticed."""
    both = []
    for dtype in (torch.float32, torch.float64):
        out, leaves, probe = gradients(engine, name, dtype)
        both.append(torch.autograd.grad(out, leaves, probe[0]))
    for single, double in zip(*both, strict=True):
        limit = 1e-4 * double.abs().max().item()
        torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=limit)


@pytest.mark.parametrize("name", WIDE)
def test_a_graph_of_the_gradients_changes_nothing(engine, name):
    out, leaves, probe = gradients(engine, name, torch.float64)
    kept = torch.autograd.grad(out, leaves, probe[0], create_graph=True)
    torch.testing.assert_close(kept, torch.autograd.grad(out, leaves, probe[0]))


@pytest.mark.parametrize("name", WIDE)
def test_batched_gradients(engine, name):
    """Both ways of PyTorch to ask for several gradients at once give each of them."""
    out, leaves, probe = gradients(engine, name, torch.float32)

    def one(vector):
        return torch.autograd.grad(out, leaves, vector, retain_graph=True)

    expected = [torch.stack(each) for each in zip(*map(one, probe), strict=True)]
    together = torch.autograd.grad(
        out, leaves, probe, retain_graph=True, is_grads_batched=True
    )
    for found in (together, vmap(one)(probe)):
        torch.testing.assert_close(list(found), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", WIDE)
def test_no_images(engine, name):
    """Zeros for the parameters, nothing for the image; also with a graph."""
    out, leaves, probe = gradients(engine, name, torch.float32, images=0)
    assert out.shape[:2] == (0, 16)
    for create in (True, False):
        found = torch.autograd.grad(out, leaves, probe[0], create_graph=create)
        assert [one.shape for one in found] == [leaf.shape for leaf in leaves]
        assert not any(one.any() for one in found)


def test_no_images_to_warp():
    """The gradients of zeros, as for a batch that happens to be empty."""
    kernel = CosineKernel(2, 3, (3, 3))
    leaves = [torch.rand(0, 2, 5, 6), torch.eye(2, 3), kernel.head]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    out = warp(leaves[0], kernel, leaves[1], size=(4, 7))
    assert out.shape == (0, 3, 4, 7)
    found = torch.autograd.grad(out.sum(), leaves)
    for leaf, gradient in zip(leaves, found, strict=True):
        assert torch.equal(gradient, torch.zeros_like(leaf))


@pytest.mark.parametrize("engine", ["factored", "reference"])
def test_no_images_at_points_of_their_own(engine):
    image = torch.rand(0, 2, 6, 5, requires_grad=True)
    points = torch.rand(0, 4, 3, 2, requires_grad=True)
    out = continuous_conv(image, "cubic", points=points, engine=engine)
    out.sum().backward()
    assert out.shape == (0, 2, 4, 3)
    assert points.grad is not None and points.grad.shape == points.shape


def test_autocast_leaves_float64_alone(engine):
    image = torch.randn(1, 2, 6, 5, dtype=torch.float64)
    kernel = KERNELS["cosine"]()
    options = {"scale": 0.7, "engine": engine}
    expected = continuous_conv(image, kernel, **options)
    with torch.autocast("cpu", torch.bfloat16):
        out = continuous_conv(image, kernel, **options)
    assert torch.equal(out, expected)
