"""Scales that are parameters: the fixed grid as oracle, gradients, a scale found."""

from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.nn.functional import interpolate

from contconv import ContinuousConv1d, ContinuousConv2d, LearnableScale, using_scales
from contconv.nn import scales_of


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("padding", [None, 1])
@pytest.mark.parametrize("size", [None, (5, 9)])
@pytest.mark.parametrize("scale", [0.5, (0.7, 1.3), (2.0, 0.25)])
def test_is_the_fixed_scale(scale, size, padding, antialias):
    """The grid of whole numbers is the oracle.

    Splines, which are zero at the edge of their support: what lies on it is rounded.
    """
    options = {"size": size, "padding": padding, "kernel": "spline"}
    options["antialias"] = antialias
    fixed = ContinuousConv2d(2, 3, 5, scale=scale, **options).double()
    own = LearnableScale(scale, dtype=torch.float64)
    learned = ContinuousConv2d(2, 3, 5, scale=own, **options).double()
    learned.load_state_dict(fixed.state_dict(), strict=False)
    image = torch.rand(2, 2, 10, 12, dtype=torch.float64)
    assert learned.scale == fixed.scale
    torch.testing.assert_close(learned(image), fixed(image), rtol=1e-6, atol=1e-6)
    assert learned.explain(image).output_shape == fixed(image).shape


@pytest.mark.parametrize("antialias", [False, True])
def test_gradient(antialias):
    own = LearnableScale((0.71, 1.33))
    options = {"size": (6, 9), "kernel": "spline", "antialias": antialias}
    layer = ContinuousConv2d(1, 1, 5, scale=own, **options)
    layer, image = layer.double(), torch.rand(1, 1, 8, 7, dtype=torch.float64)
    scale = layer.learnable_scale
    assert scale is not None
    parameters = dict(layer.named_parameters())

    def function(log: torch.Tensor) -> torch.Tensor:
        own = {**parameters, "learnable_scale.log": log}
        return torch.func.functional_call(layer, own, (image,))

    assert gradcheck(function, (scale.log.detach().clone().requires_grad_(),))


def test_gradient_where_antialias_begins():
    """At a scale of 1: as just below it, by a difference."""
    layer = ContinuousConv1d(
        1, 1, 5, scale=LearnableScale(1.0), size=12, kernel="spline", antialias=True
    ).double()
    image, own = torch.rand(1, 1, 12, dtype=torch.float64), layer.learnable_scale
    assert own is not None
    losses = []
    for log in (-1e-6, 0.0):
        with torch.no_grad():
            own.log.fill_(log)
        losses.append(layer(image).square().sum())
    losses[1].backward()
    slope = (losses[1] - losses[0]).item() / 1e-6
    assert own.log.grad is not None
    assert own.log.grad.item() == pytest.approx(slope, rel=1e-4)


def test_finds_the_scale():
    """A zoom of 1.35 by 0.8, seen through a known kernel."""
    image = interpolate(torch.rand(1, 1, 5, 5), size=48, mode="bicubic")
    options = {"kernel": "spline", "size": (24, 24)}
    layer = ContinuousConv2d(1, 1, 5, scale=LearnableScale((1.0, 1.0)), **options)
    with torch.no_grad():
        wanted = layer(image, scale=(1.35, 0.8), size=(24, 24))
    assert layer.learnable_scale is not None
    optimizer = torch.optim.Adam(layer.learnable_scale.parameters(), 0.02)
    for _ in range(200):
        optimizer.zero_grad()
        (layer(image) - wanted).square().mean().backward()
        optimizer.step()
    found = [float(scale) for scale in layer.scale or ()]
    assert found == pytest.approx([1.35, 0.8], rel=1e-3)


def test_one_number_is_shared():
    layer = ContinuousConv2d(1, 1, 3, scale=LearnableScale(0.5))
    assert layer.learnable_scale is not None
    assert layer.learnable_scale.log.shape == (1,)
    assert layer.scale == (Fraction(1, 2), Fraction(1, 2))


def test_bounds_hold_and_let_go():
    scale = LearnableScale(0.5, least=0.4, most=0.6)
    with torch.no_grad():
        scale.log.fill_(3.0)
    assert scale().item() == pytest.approx(0.6)
    scale().sum().backward()
    assert scale.log.grad is not None and scale.log.grad.item() > 0.1


def test_given_scales_come_first():
    """So that ensembles work, and the learned scale is back afterwards."""
    model = nn.Sequential(ContinuousConv1d(1, 1, 3, scale=LearnableScale(0.5)))
    image = torch.rand(1, 1, 40)
    assert model(image).shape == (1, 1, 20)
    with using_scales(model, [0.8]):
        assert model(image).shape == (1, 1, 32)
    assert model(image).shape == (1, 1, 20)
    assert scales_of(model) == [(Fraction(1, 2),)]
    assert "LearnableScale(0.5)" in repr(model)


def test_saved_and_loaded():
    layer = ContinuousConv2d(1, 1, 3, scale=LearnableScale(0.3))
    other = ContinuousConv2d(1, 1, 3, scale=LearnableScale(0.9))
    other.load_state_dict(layer.state_dict())
    assert other.scale == layer.scale


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: LearnableScale(0.5, least=0.6), ValueError, "between least and most"),
        (lambda: LearnableScale(-1), ValueError, "scale must be positive"),
        (lambda: LearnableScale("a"), TypeError, "scale must be an int, a float"),  # type: ignore
        (
            lambda: ContinuousConv2d(1, 1, 3, scale=LearnableScale((1, 1, 1))),
            ValueError,
            "one for each of the 2 axes, got 3",
        ),
        (
            lambda: ContinuousConv2d(
                *(1, 1, 3), scale=LearnableScale(1e-6, least=1e-9), antialias=True
            )(torch.rand(1, 8, 8)),
            ValueError,
            r"stretches the kernel by 1e\+06 along axis 0, which has 8 pixels",
        ),
    ],
)
def test_bad_input(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_the_engines_agree_on_a_stretched_kernel():
    """In output and gradients, by single precision and by any kernel."""
    for kernel in ("spline", "mlp"):
        found = []
        for engine in ("reference", "factored", "auto"):
            torch.manual_seed(0)
            options = {"kernel": kernel, "antialias": True, "engine": engine}
            own = LearnableScale((0.31, 0.62))
            layer = ContinuousConv2d(3, 4, 3, scale=own, **options)
            image = torch.rand(2, 3, 14, 13)
            out = layer(image)
            gradients = torch.autograd.grad(out.square().sum(), [*layer.parameters()])
            found.append([out, *gradients])
        for one in found[1:]:
            torch.testing.assert_close(one, found[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "circular"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("scale", [(0.61, 1.37), (0.33, 0.48)])
def test_float32_is_float64(scale, antialias, mode):
    """Axis by axis where the library runs: output, and the gradients to everything."""
    options: dict[str, Any] = {"kernel": "spline", "padding_mode": mode}
    options["antialias"] = antialias
    layer = ContinuousConv2d(3, 4, 5, scale=LearnableScale(scale), **options)
    image, found = torch.randn(2, 3, 17, 23), []
    for dtype in (torch.float32, torch.float64):
        given = image.to(dtype).requires_grad_()
        out = layer.to(dtype)(given)
        gradients = torch.autograd.grad(
            out.square().sum(), (given, *layer.parameters())
        )
        found.append([one.float() for one in (out, *gradients)])
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


def test_a_nan_stays_where_the_kernel_is():
    """Also one on the border, which stands for the pixels outside."""
    options: dict[str, Any] = {"kernel": "spline", "padding_mode": "zeros"}
    own = LearnableScale((0.71, 1.33))
    layer = ContinuousConv2d(2, 3, 5, scale=own, **options)
    image = torch.randn(1, 2, 12, 14)
    image[0, 0, 0, 0] = image[0, 1, 7, 5] = float("nan")
    with torch.no_grad():
        actual = layer(image).isnan()
        expected = layer.double()(image.double()).isnan()
    assert torch.equal(actual, expected) and 0 < expected.sum() < expected.numel() / 2
