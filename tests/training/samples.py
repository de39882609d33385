"""Tiny image sets in every layout, made from the same arrays."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from training._known import KNOWN
from training.images import Images, ImageSets

CLASSES = ("across", "down", "dots")


def images(per_class: int, *, side: int = 32, channels: int = 3) -> Images:
    """Noisy stripes of two directions and dots, by class."""
    chance = np.random.default_rng(per_class)
    line = 160 * (np.arange(side) // 2 % 2)
    patterns = [
        np.broadcast_to(line[:, None], (side, side)),
        np.broadcast_to(line[None], (side, side)),
        np.where(line[:, None] == line[None], 160, 0),
    ]
    stack = np.repeat(np.stack(patterns), per_class, 0)[..., None]
    noise = chance.integers(0, 96, (*stack.shape[:3], channels))
    pixels = torch.from_numpy((stack + noise).astype(np.uint8))
    labels = torch.arange(len(CLASSES)).repeat_interleave(per_class)
    return Images(pixels.permute(0, 3, 1, 2), labels)


def image_sets(per_class: int = 8, *, side: int = 32, channels: int = 3) -> ImageSets:
    """A training set, and a test set half its size, with other noise."""
    sizes = (per_class, max(1, per_class // 2))
    train, test = (images(size, side=side, channels=channels) for size in sizes)
    return ImageSets(train, test, CLASSES)


def by_name(sets: ImageSets) -> ImageSets:
    """With the classes in the order of their names, as loaders sort them."""
    order = sorted(range(len(sets.classes)), key=lambda i: sets.classes[i])
    rank = torch.tensor([order.index(i) for i in range(len(order))])
    sorted_parts = []
    for part in (sets.train, sets.test):
        labels = rank[part.labels]
        rows = labels.argsort(stable=True)
        sorted_parts.append(Images(part.images[rows], labels[rows]))
    train, test = sorted_parts
    return ImageSets(train, test, tuple(sets.classes[i] for i in order))


def parts(sets: ImageSets) -> list[tuple[str, Images]]:
    """Both sets, by name."""
    return [("train", sets.train), ("test", sets.test)]


def png(pixels: torch.Tensor) -> bytes:
    """An image, without loss."""
    rows = pixels.permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(rows[..., 0] if rows.shape[2] == 1 else rows).save(file, "PNG")
    return file.getvalue()


def named(sets: ImageSets, part: Images) -> list[tuple[str, bytes]]:
    """Path and content of every image of a set of class folders."""
    return [
        (f"{sets.classes[int(label)]}/{i:04}.png", png(pixels))
        for i, (pixels, label) in enumerate(zip(part.images, part.labels, strict=True))
    ]


def write_zips(folder: Path, sets: ImageSets, *, above: str = "") -> Path:
    """``train.zip`` and ``test.zip``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in parts(sets):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for path, content in named(sets, part):
                archive.writestr(above + path, content)
    return folder


def write_folders(folder: Path, sets: ImageSets) -> Path:
    """``train/`` and ``test/``."""
    for name, part in parts(sets):
        for path, content in named(sets, part):
            target = folder / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return folder


def cifar_files(per_file: int = 10) -> dict[str, bytes]:
    """The files of CIFAR-10's binary version: a label and three planes a record."""
    chance = np.random.default_rng(0)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    files = {}
    for name in names:
        records = chance.integers(0, 256, (per_file, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(per_file) % 10
        files[name] = records.tobytes()
    classes = KNOWN["cifar10"].classes
    return files | {"batches.meta.txt": ("\n".join(classes) + "\n\n").encode()}


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Some files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    """Files in an archive, as CIFAR-10's authors pack them."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def idx_files(sets: ImageSets, *, zipped: bool = True) -> dict[str, bytes]:
    """The four files of a grey set, in the layout of MNIST."""
    files = {}
    for name, part in (("train", sets.train), ("t10k", sets.test)):
        pixels = part.images[:, 0].contiguous().numpy()
        files[f"{name}-images-idx3-ubyte"] = idx(pixels)
        files[f"{name}-labels-idx1-ubyte"] = idx(part.labels.numpy().astype(np.uint8))
    if not zipped:
        return files
    return {f"{name}.gz": gzip.compress(content) for name, content in files.items()}


def idx(array: np.ndarray) -> bytes:
    """One array as an idx file."""
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


def network(channels: int = 3, width: int = 4) -> nn.Sequential:
    """A small network for images of 8x8 pixels, with weights of its own."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(width * 16, len(CLASSES)),
    )
