"""Several processes train as one does."""

import shutil

import pytest
import torch

from tests.training import command, samples
from training import log, processes
from training.__main__ import network
from training.checkpoints import BEFORE, NEWEST, load_weights
from training.loop import Recipe, fit

# 7 images a batch: the two processes have parts of different sizes.
RECIPE = (
    *("--model", "ccnet", "--channels", "2", "--jitter", "0.1", "--epochs", "2"),
    *("--batch-size", "7", "--save-every", "4", "--log-every", "1", "--device", "cpu"),
    *("--optimizer", "sgd", "--lr", "0.05"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    samples.write_zips(folder, samples.image_sets(14))
    return (folder, "--cache", folder / "cache")


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    command.run([*data, *RECIPE, "--out", folder / "run"], folder / "said")
    return folder / "run"


@pytest.mark.slow
def test_torchrun(data, alone, tmp_path):
    out = tmp_path / "run"
    shown = command.torchrun([*data, *RECIPE, "--out", out])
    assert shown.count("training on cpu, 2 processes") == 1
    assert log.read(out / log.NAME)[0]["processes"] == 2
    assert_close(out, alone)


@pytest.mark.slow
def test_resume_in_two_processes(data, alone, tmp_path):
    """From a checkpoint of two, bit for bit; from one of one, up to rounding."""
    said, out = tmp_path / "said", tmp_path / "two"
    command.run([*data, *RECIPE, "--out", out], said, processes=2)
    for origin in (out, alone):
        resumed = tmp_path / f"resumed from {origin.name}"
        resumed.mkdir()
        shutil.copy(origin / BEFORE, resumed / NEWEST)
        shutil.copy(origin / log.NAME, resumed)
        arguments = [*data, *RECIPE, "--out", resumed, "--resume"]
        shown = command.run(arguments, said, processes=2)
        assert "going on after step 10 on cpu, 2 processes" in shown
        assert_close(resumed, alone)
    command.assert_same(tmp_path / "resumed from two", out)


def assert_close(folder, other):
    """The same losses and the same weights, up to rounding."""
    own, others = command.losses(folder), command.losses(other)
    assert [line[:2] for line in own] == [line[:2] for line in others]
    for line, expected in zip(own, others, strict=True):
        assert line[2] == pytest.approx(expected[2], abs=1e-5)
    networks = [
        load_weights(place, network("ccnet", "spline", 2, samples.image_sets()))
        for place in (folder, other)
    ]
    pairs = zip(*(network.parameters() for network in networks), strict=True)
    for parameter, expected in pairs:
        torch.testing.assert_close(parameter, expected, rtol=1e-4, atol=1e-5)


def test_shares(monkeypatch):
    """They are all there is, once, and differ by one at most."""
    monkeypatch.setattr(processes, "count", lambda: 3)
    parts = []
    for rank in range(3):
        monkeypatch.setattr(processes, "rank", lambda own=rank: own)
        parts.append(list(range(10))[processes.share(10)])
    assert [row for part in parts for row in part] == list(range(10))
    assert sorted(map(len, parts)) == [3, 3, 4]


def test_alone():
    assert processes.rank() == 0 and processes.count() == 1
    assert processes.share(5) == slice(0, 5)
    assert processes.all_max(3, torch.device("cpu")) == 3


def test_fewer_images_than_processes(monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 4)
    with pytest.raises(ValueError, match="3 images, fewer than the 4 processes; take"):
        fit(samples.network(), samples.image_sets(side=8), Recipe(batch_size=3))


def test_no_cuda():
    if torch.cuda.is_available():
        pytest.skip("there is CUDA")
    with (
        pytest.raises(ValueError, match="device is cuda, but torch finds no CUDA"),
        processes.started("cuda"),
    ):
        pass
