"""A process that is killed goes on, bit for bit, from what it has saved."""

import signal
import time

import numpy as np
import pytest

from tests.training import command, samples
from training.checkpoints import NEWEST

RECIPE = (
    *("--model", "ccnet", "--channels", "2", "--jitter", "0.1", "--epochs", "3"),
    *("--batch-size", "4", "--save-every", "3", "--log-every", "1", "--device", "cpu"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    samples.write_zips(folder, samples.image_sets(12))
    return (folder, "--cache", folder / "cache")


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    command.run([*data, *RECIPE, "--out", folder / "run"], folder / "said")
    return folder / "run"


def test_sigterm(data, uninterrupted, tmp_path):
    said, out = tmp_path / "said", tmp_path / "run"
    process = command.start([*data, *RECIPE, "--out", out], said, last=13)
    command.wait_for(out, 13, process)
    process.terminate()
    command.let_go(said)
    assert command.ended(process) == 128 + signal.SIGTERM == 143
    steps = max(step for _, step, _ in command.losses(out))
    assert f"stopped by SIGTERM after step {steps}; saved in {out}" in said.read_text()
    assert "Traceback" not in said.read_text()
    shown = command.run([*data, *RECIPE, "--out", out, "--resume"], said)
    assert f"going on after step {steps}" in shown
    command.assert_same(out, uninterrupted)


@pytest.mark.slow
def test_sigkill_again_and_again(data, uninterrupted, tmp_path):
    """At moments that have nothing to do with steps or files."""
    said, out = tmp_path / "said", tmp_path / "run"
    arguments, chance = (
        [*data, *RECIPE, "--out", out, "--resume"],
        np.random.default_rng(),
    )
    for steps in (1, 8, 15, 22):
        process = command.start(arguments, said, last=steps + 4)
        command.wait_for(out, steps, process)
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        assert command.ended(process) == -signal.SIGKILL
    assert (out / NEWEST).exists()
    command.run(arguments, said)
    assert "going on after step" in said.read_text()
    command.assert_same(out, uninterrupted)
    assert not list(out.glob("*.partial"))
