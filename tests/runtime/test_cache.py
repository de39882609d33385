"""What is kept from call to call: never a wrong value, never too much."""

import gc

import pytest
import torch

from contconv import ContinuousConv2d, continuous_conv
from contconv._runtime import cache
from contconv.engines.periodic import engine as periodic
from contconv.kernels import CosineKernel, MLPKernel


@pytest.fixture(autouse=True)
def empty(monkeypatch):
    monkeypatch.setattr(cache, "_values", type(cache._values)())
    monkeypatch.setattr(cache, "_of_modules", type(cache._of_modules)())


class Scaled(CosineKernel):
    """A basis that depends on more than `CosineKernel.axis_key` knows."""

    factor: float = 1.0

    def axis_basis(self, distance, axis):
        return self.factor * super().axis_basis(distance, axis)


@pytest.mark.parametrize("engine", ["separable", "factored"])
def test_is_kept_and_found(engine):
    image = torch.rand(1, 2, 9, 9)
    counts = []
    for scale in (1.3, 1.3, 1.4):
        continuous_conv(image, CosineKernel(2, 2, (3, 3)), scale=scale, engine=engine)
        counts.append(len(cache._values))
    assert 1 <= counts[0] == counts[1] < counts[2]


@pytest.mark.parametrize("engine", ["separable", "factored"])
def test_other_bases_are_not_mistaken(engine):
    image = torch.rand(1, 2, 9, 9, dtype=torch.float64)
    kernels = [
        CosineKernel(2, 2, (3, 3), frequencies=count, dtype=torch.float64)
        for count in (2, 3, 2)
    ]
    twice = Scaled(2, 2, (3, 3), dtype=torch.float64)
    twice.factor = 2.0
    for kernel in [*kernels, Scaled(2, 2, (3, 3), dtype=torch.float64), twice]:
        for mode in ("zeros", "reflect"):
            options = {"scale": 1.3, "padding_mode": mode}
            actual = continuous_conv(image, kernel, **options, engine=engine)
            expected = continuous_conv(image, kernel, **options, engine="reference")
            torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("engine", ["separable", "factored"])
def test_learning_goes_on_after_inference(engine):
    layer = ContinuousConv2d(2, 2, 3, scale=0.7, engine=engine)
    image = torch.rand(1, 2, 9, 9)
    with torch.inference_mode():
        layer(image)
    assert len(cache._values) > 0
    layer(image.requires_grad_()).sum().backward()
    assert image.grad is not None and layer.kernel.head.grad is not None


def test_only_the_last_are_kept():
    made = []
    for key in [*range(cache.MOST), 0, cache.MOST, 0, 1]:
        cache.cached("key", (key,), lambda key=key: made.append(key))
    assert made == [*range(cache.MOST), cache.MOST, 1]
    assert len(cache._values) == cache.MOST


def test_large_values_are_not():
    cache.cached("large", (), lambda: 1, cache.LARGEST + 1)
    assert not cache._values


@pytest.mark.parametrize("scale", [0.5, 2, 1.5])
@pytest.mark.parametrize("kind", [CosineKernel, MLPKernel])
def test_filters_follow_the_parameters(kind, scale):
    """Also where they are written behind autograd's back."""
    kernel, image = kind(2, 3, (3, 3)), torch.rand(1, 2, 9, 9)

    def check() -> None:
        options = {"scale": scale, "engine": "periodic"}
        learned = continuous_conv(image, kernel, **options)
        for mode in (torch.no_grad, torch.inference_mode):
            with mode():
                torch.testing.assert_close(
                    continuous_conv(image, kernel, **options), learned
                )

    check()
    for parameter in kernel.parameters():
        parameter.data.mul_(1.5)
        check()
        parameter.data.view(-1)[[0, -1]] = parameter.data.view(-1)[[-1, 0]]
        check()
    kernel.double()
    image = image.double()
    check()


def test_filters_are_kept_without_gradients(monkeypatch):
    made = []
    fresh = periodic._new_filters
    monkeypatch.setattr(
        periodic, "_new_filters", lambda *a: made.append(1) or fresh(*a)
    )
    image = torch.rand(1, 2, 9, 9)
    layer = ContinuousConv2d(2, 3, 3, scale=2, engine="periodic")
    with torch.no_grad():
        first = layer(image)
        torch.testing.assert_close(layer(image), first)
    assert len(made) == 1
    layer(image)
    layer(image).sum().backward()
    assert len(made) == 3
    del layer
    gc.collect()
    assert not cache._of_modules
