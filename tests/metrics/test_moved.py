"""equivariance and same_class, of networks whose features are known to move, or not."""

import pytest
import torch
from torch import Tensor, nn

from contconv.metrics import (
    equivariance,
    fractional_shift,
    same_class,
    shift_equivariance,
)
from tests.metrics.networks import Recorder, noise, nothing, seeded

ONES = torch.ones(6, dtype=torch.float64)


def ideal(images: Tensor) -> Tensor:
    """Half the pixels, with the frequencies that they hold."""
    size = images.shape[3] // 2
    spectrum, most = torch.fft.rfft2(images), (size - 1) // 2
    kept = spectrum.new_zeros(*images.shape[:2], size, size // 2 + 1)
    for rows in (slice(most + 1), slice(-most, None)):
        kept[:, :, rows, : most + 1] = spectrum[:, :, rows, : most + 1]
    return torch.fft.irfft2(kept, s=(size, size))


def rectified(images: Tensor) -> Tensor:
    """Moves by whole pixels; a ReLU aliases."""
    return images.relu()


def fourth(images: Tensor) -> Tensor:
    return images[..., ::4, ::4]


def test_what_is_exact_by_fourier():
    images = noise(6, 3, 32, 32)
    for net in (ideal, nothing):
        # The highest frequency of an even size has no phase.
        given = images if net is ideal else images[..., :31, :31]
        found = equivariance(net, given, 20 * noise(6, 2))
        for one in found[:2]:
            torch.testing.assert_close(one, ONES)


def test_what_moves_by_whole_pixels():
    images = noise(6, 3, 17, 23)
    found = equivariance(rectified, images, (5, -11), protocol="circular")
    for one in found:
        torch.testing.assert_close(one, ONES)
    found = equivariance(rectified, images, 0.5)
    assert found.varying.max() < found.whole.max() < 0.97


def test_what_moves_by_four_pixels():
    """The paper's stride: shifts that are no multiples are others' features."""
    images = noise(6, 3, 33, 32)[..., :32, :]
    at = [
        equivariance(fourth, images, step, protocol="circular").varying
        for step in (0, 1, 2, 4, -8)
    ]
    for exact in (at[0], at[3], at[4]):
        torch.testing.assert_close(exact, ONES)
    assert at[1].max() < 0.3 and at[2].max() < 0.3


def test_a_constant_hides_what_varies():
    images = noise(6, 3, 32, 32)
    plain, raised = (
        equivariance(lambda x, add=add: fourth(x) + add, images, 2, protocol="circular")
        for add in (0, 10)
    )
    torch.testing.assert_close(raised.varying, plain.varying)
    assert plain.whole.max() < 0.5 < 0.95 < raised.whole.min()


def test_crops_are_of_the_image_and_come_back():
    images, shift = noise(6, 2, 40, 37), torch.tensor([[3, -2]] * 5 + [[-4, 5]])
    net = Recorder(nothing)
    found = equivariance(net, images, shift, protocol="crop")
    for one in found[:2]:
        torch.testing.assert_close(one, ONES)
    still, moved = net.given
    assert still.shape == moved.shape == (6, 2, 36, 32)
    for i, (y, x) in enumerate(shift.tolist()):
        inside = still[i, :, max(0, -y) : 36 - max(0, y), max(0, -x) : 32 - max(0, x)]
        there = moved[i, :, max(0, y) : 36 - max(0, -y), max(0, x) : 32 - max(0, -x)]
        assert torch.equal(inside, there)
        rows = images[i].unfold(1, 36, 1).unfold(2, 32, 1).movedim(0, 2)
        assert (rows == still[i]).flatten(2).all(2).any()


def test_the_paper_is_as_in_the_paper():
    images = noise(6, 3, 32, 32)
    net = nn.Conv2d(3, 5, 3, stride=4, padding=1, dtype=torch.float64)
    expected = shift_equivariance(net, images, 7, generator=seeded(3))
    shifts = torch.randint(-7, 8, (6, 2), generator=seeded(3))
    found = equivariance(net, images, shifts, protocol="paper")
    torch.testing.assert_close(found.whole, expected)


def test_the_ceiling_is_what_exact_features_reach():
    """What cubic interpolation costs, of features that are moved by their phases."""
    maps = noise(6, 3, 31, 31)
    exact = fractional_shift(maps, (1.5, -0.25))

    images = noise(6, 1, 124, 124)

    class Both:
        count = 0

        def __call__(self, images: Tensor) -> Tensor:
            self.count += 1
            return maps if self.count == 1 else exact

    found = equivariance(Both(), images, (6, -1), protocol="paper")
    torch.testing.assert_close(found.whole, found.ceiling)
    assert 0.5 < found.ceiling.max() < 0.95
    found = equivariance(Both(), images, (6, -1))
    torch.testing.assert_close(found.ceiling, ONES)


def classes(images: Tensor) -> Tensor:
    """The place of the brightest pixel, and nothing else."""
    return images.flatten(1)


def parity(images: Tensor) -> Tensor:
    even = images[:, 0, ::2].sum((1, 2))
    return torch.stack([even, 1 - even], 1)


def constant(images: Tensor) -> Tensor:
    return torch.tensor([0.0, 2.0, 1.0]).expand(len(images), 3)


@pytest.mark.parametrize("protocol", ["circular", "crop", "paper"])
def test_same_class_of_known_classifiers(protocol):
    images = torch.zeros(3, 1, 12, 12)
    images[:, :, 6, 6] = 1
    shift = torch.tensor([[0, 0], [2, 0], [1, -2]])
    for model, expected in ((constant, [1, 1, 1]), (classes, [1, 0, 0])):
        found = same_class(model, images, shift, protocol=protocol)
        assert found.tolist() == expected
    found = same_class(parity, images, shift, protocol=protocol)
    assert found.tolist() == [1, 1, 0]


def test_same_class_at_parts_of_pixels():
    images = torch.zeros(2, 1, 12, 12)
    images[:, :, 6, 6] = 1
    shift = torch.tensor([[0.3, 0.2], [0.6, 0.1]])
    assert same_class(classes, images, shift).tolist() == [1, 0]
