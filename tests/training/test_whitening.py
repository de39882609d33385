"""The first layer's responses to the images have no correlation, and variance one."""

import pytest
import torch
from torch import nn

from tests.training import samples
from training.batches import Normalized
from training.whitening import whiten

CPU = torch.device("cpu")


def test_responses():
    part = samples.images(8, side=8)
    images = Normalized(part, part, CPU)
    layer = nn.Conv2d(3, 30, 2)
    before = layer.weight[24:].clone()
    whiten(nn.Sequential(layer), images)
    responses = layer(images.floats(images.images)).transpose(0, 1).flatten(1)[:24]
    # A filter and its negative.
    torch.testing.assert_close(responses[1::2], -responses[::2])
    expected = torch.cov(responses[::2].double())
    torch.testing.assert_close(
        expected, torch.eye(12, dtype=torch.float64), atol=0.02, rtol=0
    )
    assert torch.equal(layer.weight[24:], before)


def test_no_layer_for_it():
    part = samples.images(1, side=8)
    images = Normalized(part, part, CPU)
    with pytest.raises(ValueError, match=r"whiten .* 3, and the network has none"):
        whiten(nn.Linear(2, 2), images)
