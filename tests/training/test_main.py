"""The command line: fast help, clear errors, and a whole training."""

import subprocess
import sys

import pytest
import torch

from tests.training import samples
from training import log
from training.__main__ import RECIPES, main
from training.checkpoints import NEWEST
from training.data import REPOSITORY

SMALL = ("--channels", "2", "--epochs", "1", "--batch-size", "12", "--device", "cpu")


def call(*arguments):
    """The message or exit code of a call; nothing where it ended well."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return str(stop.code or "")
    return ""


@pytest.fixture
def data(tmp_path):
    samples.write_zips(tmp_path / "data", samples.image_sets(4, side=28))
    return (tmp_path / "data", "--cache", tmp_path / "cache")


def test_help_needs_no_torch():
    code = """
import sys
sys.modules["torch"] = None
from training.__main__ import RECIPES, main
main(["--help"])
"""
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    for option in ("--jitter", "--resume", "--tensorboard", "--kernel", "--root"):
        assert option in shown.stdout


@pytest.mark.parametrize(
    "options",
    [("--model", "baseline"), ("--kernel", "mlp"), ("--jitter", "0.1", "--no-augment")],
    ids=" ".join,
)
def test_trains(data, tmp_path, options):
    out = tmp_path / "run"
    assert call(*data, "--out", out, *SMALL, *options) == ""
    assert (out / NEWEST).exists()
    kinds = [line["kind"] for line in log.read(out / log.NAME)]
    assert kinds == ["start", "epoch"]


def test_the_seed_is_that_of_the_weights(data, tmp_path):
    """Two trainings of the same seed are the same, whatever was drawn before."""
    for name in ("one", "two"):
        torch.rand(3)
        assert call(*data, "--out", tmp_path / name, *SMALL, "--seed", "5") == ""
    logs = [log.read(tmp_path / name / log.NAME)[-1] for name in ("one", "two")]
    assert logs[0]["loss"] == logs[1]["loss"]


def test_no_data(tmp_path):
    message = call("cifar10", "--root", tmp_path)
    assert "no cifar10 in" in message and "https://" in message


def test_images_that_are_too_large(tmp_path):
    data = samples.write_zips(tmp_path, samples.image_sets(1, side=40))
    message = call(data, "--cache", tmp_path, *SMALL)
    assert "have 40 x 40 pixels; these networks take 32 x 32" in message


def test_taken_folder(data, tmp_path):
    out = ("--out", tmp_path / "run", *SMALL)
    assert call(*data, *out) == ""
    assert "holds a training already" in call(*data, *out)
    assert "another recipe: lr is 0.002 there" in call(
        *data, *out, "--resume", "--lr", "0.1"
    )
    assert "of another network" in call(*data, *out, "--resume", "--model", "baseline")
    assert call(*data, *out, "--resume") == ""


def test_jitter_of_nothing(data):
    message = call(*data, *SMALL, "--model", "baseline", "--jitter", "0.1")
    assert "the network has none" in message


def test_bad_recipe(data):
    assert "lr must be finite and not negative" in call(*data, "--lr", "-1")


def test_recipes(data, tmp_path):
    """Settings come from the file, but for those that the options give."""
    out = tmp_path / "run"
    assert call(*data, "--recipe", "modern", "--out", out, *SMALL) == ""
    recipe = log.read(out / log.NAME)[0]["recipe"]
    assert recipe["optimizer"] == "muon" and recipe["flips"] == "alternating"
    assert recipe["epochs"] == 1 and recipe["batch_size"] == 12
    own = tmp_path / "own.toml"
    own.write_text("channels = 2\nepochs = 1\nlr = 0.5\n")
    assert call(*data, "--recipe", own, "--out", tmp_path / "two") == ""
    assert log.read(tmp_path / "two" / log.NAME)[0]["recipe"]["lr"] == 0.5
    assert call(*data, *SMALL) == ""


@pytest.mark.parametrize("name", [file.stem for file in RECIPES.glob("*.toml")])
def test_every_recipe_is_read(data, name):
    assert call(*data, "--recipe", name, *SMALL) == ""


def test_a_recipe_that_is_not_there(data):
    assert "one of modern, paper, or a TOML file, got 'modren'" in call(
        *data, "--recipe", "modren"
    )


def test_bad_option(data, capsys):
    assert int(call(*data, "--model", "resnet")) > 0
    assert "Choose from" in capsys.readouterr().err
