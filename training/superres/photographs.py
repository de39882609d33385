"""Photographs to learn from: any folder or zip archive of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor

from training._files import Folder, Zip, decoded
from training.data import bases
from training.errors import DataError

NAMED = ("bsd400",)


@dataclass(frozen=True, eq=False)
class Photographs(Sequence[Tensor]):
    """Photographs of any sizes, in the order of their names.

    Attributes:
        images: Each ``[3, height, width]``, uint8.
    """

    images: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index):  # type: ignore
        return self.images[index]

    def digest(self) -> str:
        """A digest of all pixels."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(repr(tuple(image.shape)).encode())
            digest.update(image.contiguous().numpy().data)
        return digest.hexdigest()

    def split(self, held_out: int) -> tuple["Photographs", "Photographs"]:
        """Those to learn from, and so many others, evenly spread, to test on.

        Raises:
            DataError: If nothing would be left to learn from.
        """
        count = len(self.images)
        if held_out >= count:
            raise DataError(
                f"there are {count} photographs, and {held_out} of them are held out; "
                "take more photographs, or a smaller held_out"
            )
        apart = {i * count // held_out for i in range(held_out)}
        kept = [image for i, image in enumerate(self.images) if i not in apart]
        return Photographs(tuple(kept)), Photographs(
            tuple(self.images[i] for i in sorted(apart))
        )


def load_photographs(
    source: str | Path, *, root: Path | None = None, most: int | None = None
) -> Photographs:
    """All photographs of a folder or a zip archive, and of the folders in it.

    Args:
        source: ``"bsd400"``, the 400 photographs of BSDS500's training and test sets,
            as ``bsd400/train.zip`` or a folder of that name; or the path of any folder
            or zip archive. BMP, JPEG, PNG and WebP; grey ones get three equal channels.
        root: The folder that holds a named set. Unless given: the environment variable
            ``CONTCONV_DATA``, then ``../shared/data`` beside the repository.
        most: How many, the first by name; all unless given.

    Raises:
        DataError: If there is none, or one is corrupt.
    """
    path = _named(str(source), root) if str(source) in NAMED else Path(source)
    if not path.exists():
        raise DataError(f"{path} does not exist; it should hold photographs")
    files = Folder(path) if path.is_dir() else Zip(path)
    if not files.names:
        raise DataError(f"{path} holds no photographs (BMP, JPEG, PNG or WebP)")
    names = track(sorted(files.names)[:most], f"decoding {path.name}", transient=True)
    images = [_image(files.bytes(name), f"{name} in {path}") for name in names]
    return Photographs(tuple(images))


def _image(content: bytes, name: str) -> Tensor:
    image = torch.from_numpy(decoded(content, name).copy()).permute(2, 0, 1)
    return image.expand(3, -1, -1).contiguous()


def _named(name: str, root: Path | None) -> Path:
    parts = ("train.zip", "train", "")
    places = [base / name / part for base in bases(root) for part in parts]
    found = [path for path in places if path.exists()]
    if not found:
        raise DataError(
            f"no {name} in {' or '.join(str(base / name) for base in bases(root))}: "
            "fetch BSDS500 from https://www2.eecs.berkeley.edu/Research/Projects/CS/"
            "vision/grouping/resources.html, put its training and test photographs "
            "there, or say where they lie by --root or CONTCONV_DATA"
        )
    return found[0]
