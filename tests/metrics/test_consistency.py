"""class_consistency, of classifiers whose consistency is known."""

import pytest
import torch
from torch import Tensor, nn

from contconv.metrics import class_consistency
from tests.metrics.networks import Recorder, noise


def constant(images: Tensor) -> Tensor:
    return torch.tensor([0.0, 2.0, 1.0]).expand(len(images), 3)


def row_parity(images: Tensor) -> Tensor:
    """Two classes: whether the point is in an even row."""
    even = images[:, 0, ::2].sum((1, 2))
    return torch.stack([even, 1 - even], 1)


def place(images: Tensor) -> Tensor:
    """A class for every place of the point."""
    return images.flatten(1)


@pytest.mark.parametrize(
    "model, reach, expected",
    [(constant, 4, 1.0), (row_parity, 2, (3**2 + 2**2) / 5**2), (place, 1, 1 / 9)],
    ids=["constant", "parity", "place"],
)
def test_class_consistency_of_known_classifiers(model, reach, expected):
    """Of 5 shifts, 3 are even; two of 9 are the same by chance once in 9 times."""
    images = torch.zeros(4000, 1, 12, 12)
    images[:, :, 6, 6] = 1
    found = class_consistency(model, images, reach)
    assert found.shape == (4000,)
    assert set(found.unique().tolist()) <= {0.0, 1.0}
    assert found.mean().item() == pytest.approx(expected, abs=0.03)


def test_class_consistency_compares_the_two_classes():
    images = noise(40, 2, 8, 8)
    net = nn.Sequential(nn.Conv2d(2, 5, 8), nn.Flatten()).double()
    recorder = Recorder(net)
    found = class_consistency(recorder, images, 3)
    first, second = (net(given).argmax(1) for given in recorder.given)
    assert found.tolist() == [float(a == b) for a, b in zip(first, second, strict=True)]
    assert 0 < found.mean() < 1
