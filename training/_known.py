"""The published sets that are known by name."""

from dataclasses import dataclass, replace

from training.errors import DataError
from training.images import ImageSets


@dataclass(frozen=True)
class Known:
    """A published set: what it holds, and where it comes from."""

    train: int
    test: int
    classes: tuple[str, ...]
    fetch: str
    places: tuple[str, ...] = ()

    def confirmed(self, sets: ImageSets, place: str) -> ImageSets:
        """The sets, with the names of their classes, if they are whole.

        Raises:
            DataError: If numbers of images or classes differ from what was published.
        """
        counts = (len(sets.train), len(sets.test), len(sets.classes))
        expected = (self.train, self.test, len(self.classes))
        if counts != expected:
            found = "{} training images, {} test images and {} classes".format(*counts)
            should = "{}, {} and {}".format(*expected)
            raise DataError(
                f"{place} holds {found}, not {should}: it is partial, or another set; "
                + self.fetch
            )
        numbers = tuple(map(str, range(len(self.classes))))
        if sets.classes not in (self.classes, numbers):
            raise DataError(
                f"{place} has the classes {', '.join(sets.classes)}; they should be "
                + ", ".join(self.classes)
            )
        return replace(sets, classes=self.classes)


_THINGS = ("airplane", "automobile", "bird", "cat", "deer")
_MORE_THINGS = ("dog", "frog", "horse", "ship", "truck")
_CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat")
_MORE_CLOTHES = ("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

KNOWN = {
    "cifar10": Known(
        50_000,
        10_000,
        (*_THINGS, *_MORE_THINGS),
        "fetch cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
    "fashion-mnist": Known(
        60_000,
        10_000,
        (*_CLOTHES, *_MORE_CLOTHES),
        "install Debian's package dataset-fashion-mnist, or fetch the four files from "
        "https://github.com/zalandoresearch/fashion-mnist",
        ("/usr/share/datasets/fashion-mnist",),
    ),
}
