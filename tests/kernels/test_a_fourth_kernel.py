"""A new learned kernel is one class and one line in the list of names."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from contconv import ContinuousConv2d, convert, gradual, load, save
from contconv.kernels import SeparableKernel
from contconv.kernels.head import initialise_head, new_head
from contconv.kernels.learned import LearnedKernel
from contconv.kernels.names import LEARNED
from tests.cases import HERE
from tests.oracle import HALF, convolve


class GaborKernel(LearnedKernel, SeparableKernel):
    """Cosines in a Gaussian window, whose width is learned, too."""

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        *,
        waves=None,
        groups=1,
        device=None,
        dtype=None,
    ):
        super().__init__(kernel_size)
        self.waves = tuple(waves or self.kernel_size)
        rank = math.prod(self.waves)
        self.head = new_head(in_channels, out_channels, groups, rank, device, dtype)
        one = torch.ones((), device=device, dtype=dtype)
        self.sharpness = nn.Parameter(one)
        initialise_head(self)

    def axis_basis(self, distance, axis):
        u = distance[..., None] / self.kernel_size[axis]
        window = torch.exp(-self.sharpness.to(u) * u.square())
        wave = torch.arange(self.waves[axis]).to(u)
        return window * torch.cos(math.pi * wave * (u + 0.5))

    def options(self) -> dict[str, Any]:
        return {"waves": self.waves}

    @classmethod
    def size_for(cls, filter_size):
        return tuple(filter_size)

    @classmethod
    def options_for(cls, taps):
        return {"waves": tuple(taps)}


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    monkeypatch.setitem(LEARNED, "gabor", GaborKernel)


@pytest.mark.parametrize("engine", HERE)
def test_layers_take_its_name(engine):
    layer = ContinuousConv2d(
        2, 3, (3, 4), kernel="gabor", dtype=torch.float64, bias=False, engine=engine
    )
    sharpness = layer.kernel.get_parameter("sharpness")
    nn.init.constant_(sharpness, 0.7)  # not the first value
    image = torch.rand(1, 2, 6, 4, dtype=torch.float64)

    def weights(distance):
        return layer.kernel(torch.tensor(distance).double()).detach().numpy()

    out = layer(image, scale=Fraction(1, 2))
    sizes = [HALF] * 2, out.shape[2:], (3, 4)
    expected = convolve(image[0].numpy(), weights, *sizes, "zeros")
    np.testing.assert_allclose(out[0].detach(), expected, rtol=1e-9)
    out.sum().backward()
    assert sharpness.grad


def test_save_and_load_know_it(tmp_path):
    kernel = GaborKernel(4, 6, (3, 3), waves=(4, 2), groups=2)
    layer = ContinuousConv2d(4, 6, 3, kernel=kernel, groups=2, scale=0.7)
    nn.init.constant_(kernel.sharpness, 0.7)
    save(layer, tmp_path / "layer.safetensors")
    image = torch.rand(1, 4, 7, 8)
    assert torch.equal(load(tmp_path / "layer.safetensors")(image), layer(image))


def test_networks_are_converted_to_it():
    image = torch.rand(1, 3, 12, 12)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ConvTranspose2d(8, 4, 4, 2)
    )
    before = model(image)
    report = convert(model, kernel="gabor")
    assert [type(one.kernel) for one in model] == [GaborKernel] * 2, report
    torch.testing.assert_close(model(image), before)
    gradual(model, kernel="gabor", where=lambda *_: True)
    assert model(image).shape == before.shape
