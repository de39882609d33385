"""A set that is missing, partial or corrupt is refused, and the file is named."""

import shutil
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training import samples
from training.data import load_images
from training.errors import DataError


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "set"


def load(source, **options):
    return load_images(source, cache=None, **options)


def test_missing():
    with pytest.raises(DataError, match="nowhere does not exist; it should hold"):
        load("nowhere")


def test_empty_folder(tmp_path):
    with pytest.raises(
        DataError, match=r"no set of images.*\n.*a folder of images per"
    ):
        load(tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_missing_known_set(name, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=f"no {name} in .*https://.*put it there"):
        load(name, root=tmp_path)
    monkeypatch.setenv("CONTCONV_DATA", str(tmp_path))
    if name == "cifar10":
        with pytest.raises(DataError, match=str(tmp_path)):
            load(name)


@pytest.mark.parametrize("variable", [True, False])
def test_known_set_that_is_partial(variable, tmp_path, monkeypatch):
    samples.write_files(tmp_path / "cifar10", samples.cifar_files())
    message = "50 training images, 10 test images and 10 classes, not 50000, 10000"
    monkeypatch.setenv("CONTCONV_DATA", str(tmp_path))
    with pytest.raises(DataError, match=message):
        load("cifar10", root=None if variable else tmp_path)


@pytest.mark.parametrize("name", ["train.zip", "test.zip"])
def test_half_a_set(folder, name):
    samples.write_zips(folder, samples.image_sets())
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"a part of the set: {name} is missing"):
        load(folder)


@pytest.mark.parametrize("name", ["data_batch_3.bin", "batches.meta.txt"])
@pytest.mark.parametrize("packed", [True, False])
def test_part_of_cifar_binary(tmp_path, name, packed):
    files = samples.cifar_files()
    del files[name]
    if packed:
        samples.write_tar(tmp_path / "cifar-10-binary.tar.gz", files)
    else:
        samples.write_files(tmp_path, files)
    with pytest.raises(DataError, match=f"only a part of CIFAR-10: {name} is missing"):
        load(tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda content: content[:-1], "has 30729 bytes, no multiple of 3073"),
        (lambda content: b"", "has 0 bytes"),
        (lambda content: content[:-3073], "differ in length"),
        (lambda content: b"\x0a" + content[1:], "label is 10, but there are only 10"),
    ],
    ids=["truncated", "empty", "a record less", "label"],
)
def test_bad_cifar_binary(tmp_path, change, message):
    files = samples.cifar_files()
    files["data_batch_4.bin"] = change(files["data_batch_4.bin"])
    with pytest.raises(DataError, match=message):
        load(samples.write_files(tmp_path, files))


def test_names_of_cifar_binary(tmp_path):
    files = samples.cifar_files() | {"batches.meta.txt": b"cat\ndog\n"}
    with pytest.raises(DataError, match="has 2 classes, not 10"):
        load(samples.write_files(tmp_path, files))


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_truncated_archives(tmp_path, share):
    zips = samples.write_zips(tmp_path / "zips", samples.image_sets())
    tar = samples.write_tar(tmp_path / "cifar.tar.gz", samples.cifar_files())
    for path, source in ((zips / "test.zip", zips), (tar, tar)):
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(DataError, match=f"{path.name} is no .* archive, or only a"):
            load(source)


@pytest.mark.parametrize("seed", range(10))
def test_damaged_archives(folder, seed):
    """Wherever a byte changes: an error, or what was written; zip has checksums."""
    sets = samples.image_sets(1, side=8)
    samples.write_zips(folder, sets)
    path = folder / "train.zip"
    content = bytearray(path.read_bytes())
    chance = np.random.default_rng(seed)
    content[chance.integers(len(content))] ^= 1 << chance.integers(8)
    path.write_bytes(content)
    try:
        loaded = load(folder)
    except DataError:
        return
    assert torch.equal(loaded.train.images, samples.by_name(sets).train.images)


@pytest.mark.parametrize("zipped", [True, False])
def test_corrupt_image_is_named(folder, zipped):
    sets = samples.image_sets()
    if zipped:
        samples.write_zips(folder, sets)
        with zipfile.ZipFile(folder / "train.zip", "a") as archive:
            archive.writestr("down/bad.png", samples.png(sets.train.images[0])[:200])
    else:
        samples.write_folders(folder, sets)
        path = folder / "train" / "down" / "bad.png"
        path.write_bytes(samples.png(sets.train.images[0])[:200])
    with pytest.raises(DataError, match=r"down/bad.png in .* is corrupt, or no image"):
        load(folder)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_damaged_images_raise_nothing_else(folder, kind):
    """Whatever is in a file: an image of the right size, or this error."""
    samples.write_folders(folder, samples.image_sets(1, side=16))
    path = folder / "train" / "down" / "0001.png"
    whole = path.with_suffix(f".{kind.lower()}")
    Image.open(path).save(whole, kind)
    content, chance = whole.read_bytes(), np.random.default_rng(0)
    path.unlink()
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[chance.integers(min(200, len(content)))] = chance.integers(256)
        whole.write_bytes(damaged)
        try:
            assert load(folder).train.images.shape == (3, 3, 16, 16)
        except DataError as error:
            assert "down/0001" in str(error)


@pytest.mark.parametrize("mode", ["RGBA", "CMYK", "I;16", "LA"])
def test_other_pixels(folder, mode):
    samples.write_folders(folder, samples.image_sets(1))
    name = "odd.jpg" if mode == "CMYK" else "odd.png"
    Image.new(mode, (32, 32)).save(folder / "train" / "down" / name)
    with pytest.raises(DataError, match=f"down/{name} .* has pixels of mode"):
        load(folder)


def test_images_of_several_sizes(folder):
    samples.write_folders(folder, samples.image_sets(1))
    Image.new("RGB", (31, 32)).save(folder / "train" / "down" / "narrow.png")
    with pytest.raises(DataError, match=r"narrow.png .* has 32 x 31 pixels, the first"):
        load(folder)


def test_huge_image(folder):
    samples.write_folders(folder, samples.image_sets(1))
    Image.new("1", (20_000, 1_000)).save(folder / "train" / "across" / "0000.png")
    with pytest.raises(
        DataError, match=r"across/0000.png .* more than 16777216 pixels"
    ):
        load(folder)


def test_sizes_that_differ(folder):
    samples.write_zips(folder, samples.image_sets(side=8))
    small = samples.write_zips(folder.parent / "small", samples.image_sets(side=6))
    shutil.copy(small / "test.zip", folder)
    with pytest.raises(DataError, match="are 3 x 8 x 8, test images 3 x 6 x 6"):
        load(folder)


def test_classes_that_differ(folder):
    samples.write_folders(folder, samples.image_sets())
    shutil.rmtree(folder / "test" / "down")
    with pytest.raises(DataError, match=r"has 3 classes, .* has 2; .* has down"):
        load(folder)


def test_images_without_class_folders(folder):
    samples.write_folders(folder, samples.image_sets())
    shutil.rmtree(folder / "test")
    (folder / "test").mkdir()
    shutil.copy(folder / "train" / "down" / "0008.png", folder / "test")
    with pytest.raises(DataError, match="test must hold a folder for each class"):
        load(folder)


def test_classes_at_several_places(folder):
    samples.write_folders(folder, samples.image_sets())
    shutil.move(folder / "train" / "down", folder / "train" / "more" / "down")
    with pytest.raises(DataError, match=r"such as \. and more; the classes' folders"):
        load(folder)


@pytest.mark.parametrize(
    "name, change, message",
    [
        ("train-images-idx3", lambda c: c[:-1], "holds 24575; fetch"),
        ("train-images-idx3", lambda c: c + b"0", "holds more; fetch"),
        ("train-images-idx3", lambda c: c[:10], "no idx file of bytes in 3"),
        ("train-images-idx3", lambda c: c[:3] + b"\x01" + c[4:], "no idx file"),
        ("t10k-labels-idx1", lambda c: c[:4] + b"\0" * 4 + c[8:], "impossible size"),
        ("t10k-labels-idx1", lambda c: c[:4] + b"\xff" * 4 + c[8:], "impossible size"),
        (
            "t10k-labels-idx1",
            lambda c: c[:7] + b"\x0b" + c[8:-1],
            "12 images, .* 11 la",
        ),
        ("t10k-labels-idx1", lambda c: c[:-1] + b"\x05", "no train image of class '3'"),
    ],
    ids=["short", "long", "header", "dimensions", "zero", "huge", "counts", "label"],
)
def test_bad_idx(folder, name, change, message):
    files = samples.idx_files(samples.image_sets(channels=1), zipped=False)
    files[f"{name}-ubyte"] = change(files[f"{name}-ubyte"])
    with pytest.raises(DataError, match=message):
        load(samples.write_files(folder, files))


@pytest.mark.parametrize("seed", range(6))
def test_damaged_gzip(folder, seed):
    sets = samples.image_sets(1, channels=1, side=8)
    files = samples.idx_files(sets)
    content = bytearray(files["train-images-idx3-ubyte.gz"])
    chance = np.random.default_rng(seed)
    content[chance.integers(len(content))] ^= 1 << chance.integers(8)
    files["train-images-idx3-ubyte.gz"] = bytes(content)
    try:
        loaded = load(samples.write_files(folder, files))
    except DataError:
        return
    assert torch.equal(loaded.train.images, sets.train.images)


def test_part_of_idx(folder):
    files = samples.idx_files(samples.image_sets(channels=1))
    del files["t10k-images-idx3-ubyte.gz"]
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz is missing"):
        load(samples.write_files(folder, files))
