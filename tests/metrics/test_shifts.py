"""What both metrics of shifts do: draw shifts, and use the model as it is."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contconv._grid.padding import PADDING_MODES
from contconv.metrics import class_consistency, shift_equivariance
from tests.metrics.networks import Recorder, noise, nothing, seeded, shift_between


def class_of_sum(images: Tensor) -> Tensor:
    return F.one_hot((images.sum((1, 2, 3)) > 0).long(), 2).double()


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("metric", [shift_equivariance, class_consistency])
def test_every_shift_is_as_likely(metric, mode):
    """Whole pixels, for each image and axis, up to the largest and not beyond."""
    images = noise(300, 1, 9, 7)
    is_features = metric is shift_equivariance
    model = Recorder(nothing if is_features else class_of_sum)
    metric(model, images, 2, padding_mode=mode, generator=seeded())
    first, second = model.given
    if is_features:
        assert torch.equal(first, images)
    shifts = [
        shift_between(*pair, 2, mode) for pair in zip(images, second, strict=True)
    ]
    counts = [shifts.count(pair) for pair in set(shifts)]
    assert len(counts) == 25
    assert max(counts) < 300 / 25 + 5 * math.sqrt(300 / 25)


@pytest.mark.parametrize("metric", [shift_equivariance, class_consistency])
def test_the_model_is_used_as_it_is(metric):
    """In its mode, without gradients, and the same for the same generator."""
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.Dropout(0)]
    if metric is class_consistency:
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    model, images = nn.Sequential(*layers), torch.rand(30, 1, 8, 8)
    before, gradients = images.clone(), []
    model.register_forward_hook(lambda *_: gradients.append(torch.is_grad_enabled()))
    for training in (True, False):
        model.train(training)
        found = metric(model, images, 3, generator=seeded(3))
        assert model.training is training
    state = torch.get_rng_state()
    assert torch.equal(metric(model, images, 3, generator=seeded(3)), found)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(images, before)
    assert not any(gradients)
