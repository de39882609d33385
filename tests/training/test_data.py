"""Every layout gives the arrays that it was made from."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training import samples
from training.data import CACHE, REPOSITORY, load_images, padded
from training.errors import DataError


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "set"


def load(source, **options):
    return load_images(source, cache=None, **options)


def assert_same(sets, expected):
    for own, other in ((sets.train, expected.train), (sets.test, expected.test)):
        assert own.images.dtype == torch.uint8 and own.labels.dtype == torch.int64
        assert torch.equal(own.images, other.images)
        assert torch.equal(own.labels, other.labels)
    assert sets.classes == expected.classes


@pytest.mark.parametrize("channels", [1, 3])
def test_zips(folder, channels):
    sets = samples.image_sets(channels=channels)
    assert_same(load(samples.write_zips(folder, sets)), samples.by_name(sets))


def test_zips_with_a_folder_above(folder):
    sets = samples.image_sets()
    written = samples.write_zips(folder, sets, above="./all/")
    assert_same(load(written), samples.by_name(sets))


def test_folders(folder):
    sets = samples.image_sets()
    samples.write_folders(folder, sets)
    (folder / "train" / "down" / "notes.txt").write_text("not an image")
    assert_same(load(str(folder)), samples.by_name(sets))


def test_grey_images_among_coloured_ones(folder):
    sets = samples.image_sets()
    samples.write_folders(folder, sets)
    path = folder / "train" / "across" / "0000.png"
    Image.open(path).convert("L").save(path)
    first = load(folder).train.images[0]
    assert torch.equal(first, first[:1].expand(3, -1, -1))


@pytest.mark.parametrize("layout", ["folder", "folder in a folder", "archive", "file"])
def test_cifar_binary(tmp_path, layout):
    files = samples.cifar_files()
    source = tmp_path
    if layout == "archive":
        samples.write_tar(tmp_path / "cifar-10-binary.tar.gz", files)
    elif layout == "file":
        source = samples.write_tar(tmp_path / "other.tgz", files)
    else:
        inner = "cifar-10-batches-bin" if layout == "folder in a folder" else "."
        samples.write_files(tmp_path / inner, files)
    sets = load(source)
    assert len(sets.train) == 50 and len(sets.test) == 10
    record = np.frombuffer(files["data_batch_2.bin"], np.uint8)[3 * 3073 : 4 * 3073]
    planes = torch.from_numpy(record[1:].reshape(3, 32, 32).copy())
    assert torch.equal(sets.train.images[13], planes)
    assert sets.train.labels[13] == record[0] == 3
    assert sets.classes[3] == "cat"


@pytest.mark.parametrize("zipped", [True, False])
def test_idx(folder, zipped):
    sets = samples.image_sets(side=28, channels=1)
    samples.write_files(folder, samples.idx_files(sets, zipped=zipped))
    loaded = load(folder)
    assert loaded.classes == ("0", "1", "2")
    assert torch.equal(loaded.train.images, sets.train.images)
    assert torch.equal(loaded.test.labels, sets.test.labels)


def test_padded():
    small = samples.image_sets(side=28).train.images
    wide = padded(samples.image_sets(side=28), 32).train.images
    assert wide.shape[2:] == (32, 32)
    assert torch.equal(wide[..., 2:30, 2:30], small)
    assert wide.long().sum() == small.long().sum()


def test_cache(folder, tmp_path):
    """It is used, told apart by what the files are, and made anew where damaged."""
    sets = samples.image_sets()
    samples.write_zips(folder, sets)
    cache = tmp_path / "cache"
    first = load_images(folder, cache=cache)
    (kept,) = cache.iterdir()
    written = kept.stat().st_mtime_ns
    assert_same(load_images(folder, cache=cache), first)
    assert kept.stat().st_mtime_ns == written
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    assert_same(load_images(folder, cache=cache), first)
    assert kept.read_bytes() != content
    samples.write_zips(folder, samples.image_sets(6))
    assert len(load_images(folder, cache=cache).train) == 18


@pytest.mark.slow
def test_real_cifar():
    folder = REPOSITORY.parent / "shared" / "data" / "cifar10"
    if not folder.exists():
        pytest.skip(f"CIFAR-10 NOT TRIED: it is not in {folder}")
    sets = load_images("cifar10", cache=CACHE)
    assert sets.train.images.shape == (50_000, 3, 32, 32)
    assert sets.test.labels.bincount().tolist() == [1000] * 10
    assert sets.classes[0] == "airplane" and sets.classes[9] == "truck"


@pytest.mark.slow
def test_real_fashion_mnist():
    try:
        sets = load_images("fashion-mnist")
    except DataError as error:
        pytest.skip(f"Fashion-MNIST NOT TRIED: {error}")
    assert sets.train.images.shape == (60_000, 1, 28, 28)
    assert sets.train.labels.bincount().tolist() == [6000] * 10
    assert sets.classes[9] == "Ankle boot"
