"""One layer replaced by several: exact products, the same sizes, a plan that holds."""

import math

import pytest
import torch
from torch import nn

from contconv import ContinuousConv2d, Gradual, convert, describe, gradual
from contconv.nn import continuous_layers, scales_of
from tests.surgery.networks import NETWORKS


@pytest.mark.parametrize("scale", [0.5, 2, (0.5, 0.3), 0.37])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_product_and_size(layers, scale):
    single = ContinuousConv2d(2, 3, 3, scale=scale)
    several = Gradual(2, 3, 3, layers=layers, scale=scale)
    assert single.scale is not None
    for axis in (0, 1):
        product = math.prod(scales[axis] for scales in scales_of(several))
        assert product == single.scale[axis]
    for size in [(20, 31), (9, 8)]:
        image = torch.rand(1, 2, *size)
        assert several(image).shape == single(image).shape


@pytest.mark.parametrize("name", ["unet", "resnet", "generator"])
def test_networks_keep_their_shapes(name):
    make, shape = NETWORKS[name]
    model, image = make().eval(), torch.rand(shape)
    expected = model(image).shape
    layers = len(continuous_layers(model))
    report = gradual(model, 2, example=image)
    assert model(image).shape == expected
    assert len(continuous_layers(model)) == layers + 2 * len(report.converted)
    assert all(row.out_shape and row.multiply_adds for row in report.converted)
    report.undo()
    assert not continuous_layers(model)


def test_continuous_layers_too():
    model = nn.Sequential(nn.Conv2d(2, 4, 3, 2, 1), ContinuousConv2d(4, 4, 3, scale=2))
    convert(model)
    report = gradual(model, 3)
    assert [row.was for row in report.converted] == ["ContinuousConv2d"] * 2
    assert model(torch.rand(1, 2, 9, 8)).shape == (1, 4, 10, 8)


def test_plan_is_what_is_built():
    """The dry run's numbers are those of the network."""
    image = torch.rand(1, 2, 20, 20)
    model = nn.Sequential(nn.Conv2d(2, 4, 3, 2, 1))
    plan = gradual(model, 3, example=image, dry_run=True)
    assert isinstance(model[0], nn.Conv2d)
    done = gradual(model, 3, example=image)
    assert plan.rows == done.rows
    (row,) = done.rows
    assert row.parameters is not None and row.multiply_adds is not None
    assert row.parameters[1] == sum(p.numel() for p in model.parameters())
    assert row.multiply_adds[1] == describe(model, image.shape).multiply_adds


def test_layers_without_a_scale_are_left():
    model = nn.Sequential(ContinuousConv2d(1, 1, 3, size=5))
    report = gradual(model, 2, where=lambda name, module: True)
    assert "no scale of its own" in report.left[0].reason


def test_describe():
    layer = ContinuousConv2d(3, 8, 3, scale=0.5)
    model = nn.Sequential(layer, nn.ReLU(), ContinuousConv2d(8, 8, 3, size=9))
    found = describe(model, (2, 3, 20, 24))
    assert model.training and "forward" not in vars(layer)
    first, last = found.layers
    assert first.explanation.output_shape == (2, 8, 10, 12)
    assert last.explanation.output_shape == (2, 8, 9, 9)
    assert first.distances == (4, 4) and first.parameters == 8 * 3 * 9 + 8
    expected = layer.explain(torch.rand(2, 3, 20, 24))
    assert first.explanation.engine == expected.engine
    text = str(found)
    assert max(map(len, text.splitlines())) <= 100 and len(repr(found)) < 150
    assert "CosineKernel" in text and "2 continuous layers" in text


def test_describe_needs_no_memory():
    """A network on meta, for an input that no memory could hold."""
    plan = Gradual(512, 512, 3, layers=2, scale=0.5, device="meta")
    found = describe(plan, (64, 512, 10**5, 10**5))
    assert found.layers[-1].explanation.output_shape == (64, 512, 50000, 50000)
    assert "does not fit" in str(found)


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: Gradual(1, 1, 3, layers=0, scale=1), ValueError, "layers must be at"),
        (lambda: Gradual(1, 1, 3, layers=2, scale=0), ValueError, "scale must be posi"),
        (
            lambda: Gradual(1, 1, 3, layers=2, scale=1, axes=4),
            ValueError,
            "axes must be 1, 2 or 3, got 4",
        ),
        (
            lambda: describe(nn.ReLU(), (1, 0)),
            ValueError,
            "input_size must be at least",
        ),
    ],
)
def test_bad_input(make, error, words):
    with pytest.raises(error, match=words):
        make()
