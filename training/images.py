"""Image sets in memory."""

import hashlib
from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn.functional import pad

from training.errors import DataError


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images of one size.

    Attributes:
        images: ``[n, channels, height, width]``, uint8; channels-last in memory.
        labels: ``[n]``, int64: indices of classes.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class ImageSets:
    """A training set and a test set, with the names of their classes."""

    train: Images
    test: Images
    classes: tuple[str, ...]

    def digest(self) -> str:
        """A digest of all images and labels, and of the names of the classes."""
        digest = hashlib.sha256(repr(self.classes).encode())
        for part in (self.train, self.test):
            digest.update(repr(tuple(part.images.shape)).encode())
            digest.update(part.images.permute(0, 2, 3, 1).contiguous().numpy().data)
            digest.update(part.labels.contiguous().numpy().data)
        return digest.hexdigest()


def checked(sets: ImageSets, source: str) -> ImageSets:
    """The sets, if training and test images fit together and every class has some.

    Raises:
        DataError: If they do not.
    """
    train, test = sets.train, sets.test
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"{source}: training images are {_size(train)}, test images {_size(test)}"
        )
    for part, images in (("train", train), ("test", test)):
        found = images.labels.bincount(minlength=len(sets.classes)).tolist()
        if len(found) > len(sets.classes):
            raise DataError(
                f"{source}: a {part} label is {len(found) - 1}, but there are only "
                f"{len(sets.classes)} classes, counted from 0"
            )
        if 0 in found:
            empty = sets.classes[found.index(0)]
            raise DataError(f"{source}: no {part} image of class {empty!r}")
    return sets


def padded(sets: ImageSets, size: int) -> ImageSets:
    """The sets with black borders, so that images have at least ``size`` pixels."""
    return replace(sets, train=_padded(sets.train, size), test=_padded(sets.test, size))


def _padded(images: Images, size: int) -> Images:
    height, width = images.images.shape[2:]
    above, left = (max(0, size - pixels) for pixels in (height, width))
    borders = (left // 2, left - left // 2, above // 2, above - above // 2)
    return replace(images, images=pad(images.images, borders))


def _size(images: Images) -> str:
    channels, height, width = images.images.shape[1:]
    return f"{channels} x {height} x {width}"
