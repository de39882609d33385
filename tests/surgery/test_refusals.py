"""Layers that stay as they are, with the reason; and arguments that are none."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from contconv import convert, gradual
from contconv.nn import continuous_layers
from tests.surgery.networks import everything


class Own(nn.Conv2d):
    pass


def tied(how: str = "weight") -> nn.Module:
    model: Any = nn.Sequential(nn.Conv2d(2, 2, 3, 2), nn.Conv2d(2, 2, 3, 2))
    if how == "turned":  # another parameter on the same memory
        model[1].weight = nn.Parameter(model[0].weight.data.transpose(0, 1))
    else:
        setattr(model[1], how, getattr(model[0], how))
    return model


def traced(model: nn.Module, example: torch.Tensor) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch.jit will go
        return torch.jit.trace(model, example)


LEFT = {
    "dilation": (nn.Conv2d(1, 1, 3, 2, dilation=2), "dilation"),
    "transposed dilation": (nn.ConvTranspose2d(1, 1, 3, 2, dilation=2), "dilation"),
    "subclass": (Own(1, 1, 3, 2), "a subclass of Conv2d, which may compute"),
    "parametrized": (
        parametrizations.weight_norm(nn.Conv2d(1, 1, 3, 2)),
        "its weight is parametrized; remove",
    ),
    "scripted": (
        traced(nn.Conv2d(1, 1, 3, 2), torch.rand(1, 1, 7, 7)),
        "torch.jit.trace has compiled what calls it; convert the network before",
    ),
    "lazy": (nn.LazyConv2d(1, 3, 2), "a subclass of Conv2d"),
    "tied": (tied(), "another layer has the same weight"),
    "tied bias": (tied("bias"), "another layer has the same bias"),
    "tied memory": (tied("turned"), "another layer has the same weight"),
    "complex": (nn.Conv2d(1, 1, 3, 2, dtype=torch.complex64), "torch.complex64"),
    "maximum": (nn.MaxPool2d(2), "a maximum is no sum of pixels"),
    "mean": (nn.AvgPool2d(3, 2), "its windows are no blocks side by side"),
    "corners": (
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        "align_corners=True",
    ),
    "fraction": (nn.Upsample(scale_factor=1.5), "scale_factor 1.5 is not whole"),
    "nearest size": (nn.Upsample(size=7), "with a size: which pixel is nearest"),
    "channels": (nn.Upsample(scale_factor=2), "pass example="),
}


@pytest.mark.parametrize("case", list(LEFT))
def test_left_alone(case):
    model, words = LEFT[case]
    model = nn.Sequential(model)
    before = list(model.modules())
    report = convert(model, everything)
    assert not report.converted and list(model.modules()) == before
    assert all(words in row.reason for row in report.left), report


def test_fit_that_is_not_close_enough():
    """Splines cannot pass through any taps."""
    conv = nn.Conv2d(2, 2, 3, 2, 1)
    (row,) = convert(conv, kernel="spline").rows
    assert "kernel 'spline' is off by" in row.reason and "init='fresh'" in row.reason
    assert convert(conv, kernel="spline", init="fresh").converted


def test_an_error_leaves_all_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 1, 3, 2), nn.Conv2d(1, 1, 3, 2))
    before = list(model.modules())
    with pytest.raises(RuntimeError, match="channels"):
        convert(model, example=torch.rand(1, 2, 9, 9))
    assert list(model.modules()) == before and not model[0]._forward_hooks


@pytest.mark.parametrize(
    "options, words",
    [
        ({"init": "best"}, "init must be 'fit' or 'fresh', got 'best'"),
        ({"align": "left"}, "align must be 'keep' or 'center', got 'left'"),
        ({"kernel": "cubic"}, "kernel must be one of .* got 'cubic'"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        convert(nn.Conv2d(1, 1, 3, 2), **options)


def test_no_module():
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got str"):
        convert("model")  # type: ignore
    with pytest.raises(TypeError, match=r"where must be a function .* got list"):
        convert(nn.Linear(1, 1), ["conv1"])  # type: ignore
    with pytest.raises(ValueError, match="layers must be at least 1, got 0"):
        gradual(nn.Conv2d(1, 1, 3, 2), 0)


def test_nothing_to_convert():
    report = convert(nn.Linear(2, 2), everything)
    assert report.rows == [] and "0 replaced" in str(report)
    assert not continuous_layers(report.model)
