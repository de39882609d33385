"""Batches are a function of seed, epoch and number, and are what they should be."""

import pytest
import torch
from torch.nn.functional import pad

from tests.training import samples
from training.batches import Batches, Normalized, chance, moments, reflected
from training.images import Images

CPU = torch.device("cpu")


def batches(part: Images, size: int = 10, **options) -> Batches:
    return Batches(Normalized(part, part, CPU), size, **options)


def test_normalized():
    part = samples.images(8)
    images, labels = next(Normalized(part, part, CPU).parts(24, 0, 24))
    values = part.images.double()
    expected = values - values.mean((0, 2, 3), keepdim=True)
    expected /= values.std((0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(images.double(), expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(labels, part.labels)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_a_channel_of_one_value():
    images = torch.full((2, 1, 4, 4), 7, dtype=torch.uint8)
    mean, deviation = moments(images)
    assert mean.item() == 7 and deviation.item() == 1


def test_parts_of_a_set():
    part = samples.images(8)
    labels = [labels for _, labels in Normalized(part, part, CPU).parts(5, 3, 17)]
    assert torch.equal(torch.cat(labels), part.labels[3:17])


def test_every_image_once_an_epoch():
    part = samples.images(8)
    # The pixel at the top left tells the images apart.
    part.images[:, :, 0, 0] = torch.arange(24, dtype=torch.uint8)[:, None]
    given = batches(part, 6, augment=False)
    seen = [given.batch(1, step, slice(None))[0] for step in range(len(given))]
    tops = torch.cat(seen)[:, 0, 0, 0]
    assert len(given) == 4 and tops.unique().numel() == 24
    first_again = given.batch(0, 0, slice(None))[0]
    assert not torch.equal(first_again, seen[0])


def test_order_and_changes_do_not_depend_on_the_past():
    part = samples.images(8)
    given, other = batches(part, seed=3), batches(part, seed=3)
    given.batch(5, 1, slice(None))
    given.batch(2, 0, slice(None))
    for own, expected in zip(
        given.batch(7, 1, slice(None)), other.batch(7, 1, slice(None)), strict=True
    ):
        assert torch.equal(own, expected)
    others = batches(part, seed=4).batch(7, 1, slice(None))[0]
    assert not torch.equal(given.batch(7, 1, slice(None))[0], others)


def test_parts_of_a_batch_make_up_the_whole():
    given = batches(samples.images(8))
    images, labels = given.batch(0, 0, slice(None))
    halves = [given.batch(0, 0, part) for part in (slice(0, 3), slice(3, 10))]
    assert torch.equal(torch.cat([half[0] for half in halves]), images)
    assert torch.equal(torch.cat([half[1] for half in halves]), labels)


def test_changes_are_flips_and_shifts_with_a_mirrored_border():
    """Each image is one of the 162 that padding, cutting and flipping can give."""
    part = Images(samples.images(4).images[:1], torch.zeros(1, dtype=torch.int64))
    given = batches(part)
    original = given.images.floats(given.images.images)
    wide = pad(original, (given.shift,) * 4, mode="reflect")
    side, reach = original.shape[2], 2 * given.shift + 1
    possible = torch.cat(
        [
            window.flip(3) if flip else window
            for y in range(reach)
            for x in range(reach)
            for window in [wide[..., y : y + side, x : x + side]]
            for flip in (False, True)
        ]
    )
    drawn = set()
    for epoch in range(100):
        image, _ = given.batch(epoch, 0, slice(None))
        drawn.update((possible == image).flatten(1).all(1).nonzero().flatten().tolist())
    assert len(drawn) > 60


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_reflected(size):
    index = torch.arange(-9, 9)
    line = list(range(size)) + list(range(size - 2, 0, -1))
    expected = [line[i % len(line)] for i in range(-9, 9)]
    assert reflected(index, size).tolist() == expected


def test_chance_depends_on_all_of_its_key():
    keys = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0), (0, 0, 0, 1)]
    draws = {torch.rand(1, generator=chance(*key)).item() for key in keys}
    assert len(draws) == len(keys)


def test_a_batch_larger_than_the_set():
    given = batches(samples.images(2), 100)
    assert len(given) == 1
    assert len(given.batch(0, 0, slice(None))[1]) == 6


def test_alternating_flips():
    """Over two epochs each image is seen once as it is and once mirrored."""
    part = samples.images(8)
    # The pixels at the top left and right tell the images and their sides apart.
    part.images[:, :, 0, 0] = torch.arange(24, dtype=torch.uint8)[:, None]
    part.images[:, :, 0, -1] = torch.arange(100, 124, dtype=torch.uint8)[:, None]
    given = batches(part, 8, shift=0, flips="alternating")
    for first in (0, 5):
        seen = [
            corners(given, epoch, step)
            for epoch in (first, first + 1)
            for step in range(3)
        ]
        tops = torch.cat(seen).sort().values
        assert tops.tolist() == [*range(24), *range(100, 124)]
    once = torch.cat([corners(given, 0, step) for step in range(3)])
    assert 4 < (once < 100).sum() < 20


def corners(given: Batches, epoch: int, step: int) -> torch.Tensor:
    """The pixel at the top left of each image of a batch, as bytes."""
    images, _ = given.batch(epoch, step, slice(None))
    moved = images.permute(0, 2, 3, 1) / given.images.scale + given.images.mean
    return moved[:, 0, 0, 0].round().to(torch.uint8)
