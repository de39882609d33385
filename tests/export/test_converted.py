"""Converted layers taken away: a convolution comes out as it went in."""

import pytest
import torch
from torch import nn

from contconv import ContinuousConv2d, LearnableScale, bake, convert, load, save


def layers() -> list[nn.Module]:
    strided = [
        nn.Conv2d(2, 3, kernel, stride, (kernel + stride) % 2)
        for kernel in (1, 3, 4)
        for stride in (1, 2, 3)
    ]
    transposed = [
        nn.ConvTranspose2d(2, 3, kernel, 2, 1, more)
        for kernel in (3, 4)
        for more in (0, 1)
    ]
    return [*strided, *transposed]


@pytest.mark.parametrize("align", ["keep", "center"])
@pytest.mark.parametrize("conv", layers(), ids=str)
def test_baked(conv, align):
    conv = conv.double()
    layer = convert(conv, lambda *_: True, align=align).model
    baked = bake(layer)
    for size in [(11, 12), (12, 13), (14, 9)]:
        image = torch.randn(1, 2, *size, dtype=torch.float64)
        torch.testing.assert_close(baked(image), layer(image))
        if align == "keep":
            torch.testing.assert_close(baked(image), conv(image))


def test_strided_convolution_comes_back():
    conv = nn.Conv2d(2, 3, 3, stride=2, padding=1)
    back = bake(convert(conv).model)
    assert repr(back) == repr(conv)
    torch.testing.assert_close(back.weight, conv.weight)


def test_saved(tmp_path):
    layer = convert(nn.Conv2d(2, 3, 3, 2, 1)).model
    save(layer, tmp_path / "layer.safetensors")
    image = torch.rand(1, 2, 9, 8)
    assert torch.equal(load(tmp_path / "layer.safetensors")(image), layer(image))


def test_learned_scale(tmp_path):
    """It is saved as it is, and baked as what it has learned."""
    scale = LearnableScale((0.5, 0.7), least=0.25)
    layer = ContinuousConv2d(2, 3, 5, scale=scale, kernel="spline")
    save(layer, tmp_path / "layer.safetensors")
    image, other = torch.rand(1, 2, 9, 8), load(tmp_path / "layer.safetensors")
    assert torch.equal(other(image), layer(image)) and other.scale == layer.scale
    assert other.learnable_scale.least == 0.25  # type: ignore
    with torch.no_grad():
        scale.log.copy_(torch.tensor([2.0, 1.0]).log())
    baked = bake(layer)
    assert baked(image).shape == (1, 3, 18, 8) and layer.learnable_scale is scale
    torch.testing.assert_close(baked(image), layer(image), rtol=1e-4, atol=1e-5)
