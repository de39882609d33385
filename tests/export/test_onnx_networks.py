"""ONNX files of the gallery's and the guides' networks, at every remainder by 8."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from contconv import (
    ContinuousConv1d,
    ContinuousConv2d,
    ContinuousConv3d,
    Gradual,
    LearnableScale,
    ScaleEnsemble,
    convert,
    gradual,
    resize,
    to_onnx,
)
from contconv.kernels import CosineKernel
from contconv.models import BaselineNet, CCNet, superres
from tests.surgery.networks import ResNet, UNet, generator, settled

# The shape checks around the library break graphs.
pytestmark = [pytest.mark.slow, pytest.mark.plain]


class Case(NamedTuple):
    """A network, and what it is exported and called with."""

    model: Callable[[], nn.Module]
    shape: tuple[int, ...]
    options: dict[str, Any] | None = None
    step: int = 1  # what sizes must be a multiple of
    free: bool = True  # whether it takes more than the size of the example


class Across(nn.Module):
    """A U-Net: down by 1/2, 1/3 and 1/2, up to the sizes beside."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        scales = (1 / 2, 1 / 3, 1 / 2)
        self.down = nn.ModuleList(
            ContinuousConv2d(2, 2, 3, scale=scale, **options) for scale in scales
        )
        self.up = nn.ModuleList(ContinuousConv2d(2, 2, 3, **options) for _ in scales)

    def forward(self, image: Tensor) -> Tensor:
        beside = []
        for down in self.down:
            beside.append(image)
            image = down(image).relu()
        for up, other in zip(self.up, reversed(beside), strict=True):
            image = up(image, size=other.shape[2:]) + other
        return image


class Resized(nn.Module):
    """A layer, and classical resizing back to the input's size."""

    def __init__(self) -> None:
        super().__init__()
        self.down = ContinuousConv2d(3, 3, 3, scale=0.5)

    def forward(self, image: Tensor) -> Tensor:
        return resize(self.down(image), size=image.shape[2:], antialias=False)


class Resizer(nn.Module):
    """That of the gallery, with the output's size as an input."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 8, 3, padding=1)
        self.last = ContinuousConv2d(8, 3, 5, kernel="spline", padding_mode="replicate")

    def forward(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        return self.last(self.features(image).relu(), size=size)


def converted(model: nn.Module, example: Tensor | None = None, **options: Any) -> Any:
    return convert(model.eval(), example=example, **options).model


def resnet() -> nn.Module:
    return converted(settled(ResNet(), torch.rand(2, 3, 64, 50)))


def classifier() -> nn.Module:
    """That of the gallery; its last layer lands on one shape."""
    convs = [nn.Conv2d(c, 16, 3, stride=2, padding=1) for c in (1, 16, 16)]
    layers = [one for conv in convs for one in (conv, nn.ReLU())]
    ends = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 8))
    model = nn.Sequential(*layers, *ends)
    convert(model, init="fresh", kernel="spline")
    model[4].size = 3  # type: ignore
    return model


def shared() -> nn.Module:
    """A ResNet whose strides are shared by two layers each."""
    model = ResNet(4)
    gradual(model, 2)
    return model


def any_scale() -> nn.Module:
    kernel = CosineKernel(1, 1, (4, 4), frequencies=8)
    return ContinuousConv2d(1, 1, 4, scale=0.73, kernel=kernel, bias=False)


def learned() -> nn.Module:
    scale = LearnableScale((1.0, 0.8))
    return ContinuousConv2d(1, 1, 5, scale=scale, size=(32, 32), kernel="spline")


def of_axes(layer: Any) -> nn.Module:
    scales = (1 / 2, 1 / 3, 2)
    return nn.Sequential(*[layer(2, 2, 3, scale=scale) for scale in scales])


CASES = {
    "resnet": Case(resnet, (1, 3, 33, 40)),
    "resnet shared": Case(shared, (1, 3, 33, 40)),
    "unet": Case(lambda: converted(UNet()), (1, 1, 24, 32), step=4),
    "generator": Case(
        lambda: converted(generator(), torch.rand(2, 10, 1, 1)), (1, 10, 3, 2)
    ),
    "across": Case(Across, (1, 2, 24, 25)),
    "across, mirrored": Case(
        lambda: Across(padding_mode="reflect", kernel="mlp"), (1, 2, 44, 45)
    ),
    "across, edge": Case(lambda: Across(align="edge", antialias=True), (1, 2, 44, 45)),
    "classifier": Case(classifier, (1, 1, 24, 25)),
    "ensemble": Case(
        lambda: ScaleEnsemble(classifier(), [None, [0.6, 0.5, 0.5]]), (1, 1, 24, 25)
    ),
    "gradual": Case(lambda: Gradual(3, 4, 3, scale=1 / 2, layers=3), (1, 3, 23, 32)),
    "any scale": Case(any_scale, (1, 1, 12, 13)),
    "learned": Case(learned, (1, 1, 12, 13)),
    "lines": Case(lambda: of_axes(ContinuousConv1d), (1, 2, 17)),
    "volumes": Case(lambda: of_axes(ContinuousConv3d), (1, 2, 9, 8, 7)),
    "resized": Case(Resized, (1, 3, 12, 13)),
    "ccnet": Case(lambda: CCNet(4), (1, 3, 32, 32), free=False),
    "baseline": Case(lambda: BaselineNet(4), (1, 3, 32, 32), free=False),
    "resizer": Case(Resizer, (1, 3, 24, 32), {"size": "input"}),
    "superres": Case(superres.load, (1, 3, 12, 13), {"size": "input"}),
    "superres, one scale": Case(superres.load, (1, 3, 12, 13), {"scale": 2.7}),
}


@torch.no_grad()
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_remainder(case, tmp_path: Path, capfd):
    model, (_, channels, *sizes) = case.model().eval(), case.shape
    options = case.options or {}
    checks = None if case.free and case.step == 1 else [tuple(sizes)]
    path = tmp_path / "model.onnx"
    to_onnx(model, path, torch.rand(case.shape), sizes=checks, **options)
    assert capfd.readouterr() == ("", "")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for i in range(8 if case.free else 1):
        # Each axis in steps of its own: all remainders, but not the same ones.
        shape = [n + case.step * (i * (2 * a + 1) % 8) for a, n in enumerate(sizes)]
        image = torch.rand(1 + i % 3, channels, *shape)
        feed, given = {"input": image.numpy()}, options
        if "size" in options:
            out = tuple(n * (5 + i) // 5 for n in shape)
            given = {"size": out}
            feed |= {"height": np.asarray(out[0]), "width": np.asarray(out[1])}
        expected = model(image, **given)
        actual = torch.from_numpy(session.run(None, feed)[0])
        assert actual.shape == expected.shape
        error = (actual - expected).abs().max() / expected.abs().max()
        assert error <= 1e-5, shape
