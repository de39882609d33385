"""Batches: what is drawn depends on seed, epoch and number alone, not on the past."""

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor

from training.images import Images


def number(*key: int) -> int:
    """A random number of 32 bits that depends on the key alone."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:4])


def chance(*key: int) -> torch.Generator:
    """A source of random numbers that depends on the key alone."""
    return torch.Generator().manual_seed(number(*key))


class Normalized:
    """Images of one set on a device, as floats with the training set's mean taken off.

    Args:
        images: The images.
        train: Those whose mean and standard deviation normalize, for each channel.
        device: Where they lie.
    """

    def __init__(self, images: Images, train: Images, device: torch.device) -> None:
        self.images = images.images.permute(0, 2, 3, 1).contiguous().to(device)
        self.labels = images.labels.to(device)
        mean, deviation = moments(train.images)
        self.mean, self.scale = mean.to(device), (1 / deviation).to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def floats(self, rows: Tensor) -> Tensor:
        """``[n, height, width, channels]`` to ``[n, channels, height, width]``."""
        return (rows.float() - self.mean).mul_(self.scale).permute(0, 3, 1, 2)

    def parts(self, size: int, first: int, end: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The images from ``first`` to ``end``, and their labels, batch by batch."""
        for start in range(first, end, size):
            part = slice(start, min(start + size, end))
            yield self.floats(self.images[part]), self.labels[part]


class Batches:
    """The training images in random order, changed at random.

    All batches have the same size. What an epoch leaves over, less than a batch, is
    another part of the set in the next one.

    Args:
        images: The training images.
        size: Images a batch; all there are, if they are fewer.
        seed: Decides the order and the changes.
        augment: Whether images are flipped and shifted.
        shift: By how many pixels at most.
        flips: Which are flipped, as `training.recipe.Recipe` says.
    """

    def __init__(
        self,
        images: Normalized,
        size: int,
        *,
        seed: int = 0,
        augment: bool = True,
        shift: int = 4,
        flips: str = "random",
    ) -> None:
        self.images, self.size = images, min(size, len(images))
        self.seed, self.augment, self.shift, self.flips = seed, augment, shift, flips
        self._epoch, self._order = -1, torch.empty(0)
        # For each image of the set: which are flipped in the first epoch.
        self._first = torch.randint(2, (len(images),), generator=chance(seed))

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return len(self.images) // self.size

    def batch(self, epoch: int, step: int, part: slice) -> tuple[Tensor, Tensor]:
        """Images and labels of a part of one batch; parts do not change the whole."""
        if epoch != self._epoch:
            draw = chance(self.seed, epoch)
            self._order = torch.randperm(len(self.images), generator=draw)
            self._epoch = epoch
        images, labels = self.images.images, self.images.labels
        rows = self._order[step * self.size : (step + 1) * self.size]
        rows = rows[part].to(labels.device)
        if not self.augment:
            return self.images.floats(images[rows]), labels[rows]
        y, x = (index[part].to(labels.device) for index in self._places(epoch, step))
        changed = images[rows[:, None, None], y[:, :, None], x[:, None, :]]
        return self.images.floats(changed), labels[rows]

    def _places(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """For each image, from which row and column its pixels are taken."""
        draw = chance(self.seed, epoch, step)
        height, width = self.images.images.shape[1:3]
        least, end = -self.shift, self.shift + 1
        shifts = torch.randint(least, end, (2, self.size, 1), generator=draw)
        flips = self._flips(epoch, step, draw)[:, None]
        x = torch.where(flips, torch.arange(width).flip(0), torch.arange(width))
        y = torch.arange(height) + shifts[0]
        return reflected(y, height), reflected(x + shifts[1], width)

    def _flips(self, epoch: int, step: int, draw: torch.Generator) -> Tensor:
        """Whether each image of a batch is flipped."""
        if self.flips == "random":
            return torch.randint(2, (self.size,), generator=draw).bool()
        # What each was not in the last epoch.
        rows = self._order[step * self.size : (step + 1) * self.size]
        return ((self._first[rows] + epoch) % 2).bool()


def reflected(index: Tensor, size: int) -> Tensor:
    """Indices beyond the edge, mirrored at the pixel there."""
    period = max(1, 2 * (size - 1))
    index = index.remainder(period)
    return torch.minimum(index, period - index)


def moments(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel of ``[n, c, h, w]``, uint8."""
    values = torch.arange(256, dtype=torch.float64)
    means, deviations = [], []
    for channel in images.unbind(1):
        shares = channel.reshape(-1).bincount(minlength=256) / channel.numel()
        mean = (shares * values).sum()
        means.append(mean)
        deviations.append((shares * (values - mean).square()).sum().sqrt())
    deviation = torch.stack(deviations)
    # A channel of one value only is nothing to divide by.
    deviation[deviation == 0] = 1
    return torch.stack(means).float(), deviation.float()
