"""A checkpoint brings back everything, or says what is wrong with it."""

import functools
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from contconv import ContinuousConv2d
from contconv._files import hashed_safetensors
from tests.training import samples
from training import checkpoints
from training.checkpoints import BEFORE, NEWEST
from training.errors import CheckpointError
from training.identity import identity
from training.optimizers import new_optimizer
from training.progress import Progress
from training.recipe import Recipe

SETS = samples.image_sets(4, side=8)
RECIPE = Recipe(epochs=2, batch_size=4)


class Training:
    """A network and an optimizer that has taken some steps."""

    def __init__(self, model=None, recipe=RECIPE, sets=SETS, *, steps=0):
        self.model = model or samples.network()
        self.optimizer = new_optimizer(recipe, self.model)
        self.identity = identity(self.model, recipe, sets)
        for _ in range(steps):
            self.model(torch.rand(2, 3, 8, 8)).square().sum().backward()
            self.optimizer.step()

    def save(self, folder, position):
        arguments = (self.model, self.optimizer, position, self.identity)
        return checkpoints.save(folder, *arguments)

    def restore(self, folder):
        return checkpoints.restore(folder, self.model, self.optimizer, self.identity)

    def tensors(self):
        states = self.optimizer.state_dict()["state"]
        own = {f"{i}.{k}": v for i, state in states.items() for k, v in state.items()}
        return {**self.model.state_dict(), **own}


def position(step=3):
    record = {"epoch": 0, "loss": 0.1, "test_accuracy": 1 / 3}
    return Progress(5, 1, step, (0.25, 7.0), 1.5, [record])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_everything_comes_back(tmp_path, optimizer):
    recipe = Recipe(optimizer=optimizer)
    saved = Training(recipe=recipe, steps=2)
    saved.save(tmp_path, position())
    fresh = Training(recipe=recipe)
    assert fresh.restore(tmp_path) == position()
    expected = saved.tensors()
    for name, tensor in fresh.tensors().items():
        assert torch.equal(tensor, expected.pop(name)), name
    assert not expected


def test_before_the_first_step(tmp_path):
    Training().save(tmp_path, Progress(5))
    assert Training().restore(tmp_path) == Progress(5)


def test_buffers_come_back(tmp_path):
    model = nn.Sequential(nn.BatchNorm2d(3), samples.network())
    Training(model, steps=1).save(tmp_path, position())
    fresh = nn.Sequential(nn.BatchNorm2d(3), samples.network())
    checkpoints.load_weights(tmp_path, fresh)
    buffers, expected = dict(fresh.named_buffers()), dict(model.named_buffers())
    assert torch.equal(buffers["0.running_mean"], expected["0.running_mean"])
    assert buffers["0.num_batches_tracked"] == 1


def test_compiled_networks_are_the_same(tmp_path):
    model = torch.compile(samples.network(), backend="eager")
    Training(model).save(tmp_path, position())
    Training().restore(tmp_path)


def test_none(tmp_path):
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        Training().restore(tmp_path)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        checkpoints.load_weights(tmp_path / "nowhere", samples.network())


def test_flipped_bits(tmp_path):
    """Whatever bit: refused, and the network and its optimizer are as they were."""
    path = Training(steps=1).save(tmp_path, position())
    content = path.read_bytes()
    fresh = Training()
    before = {name: tensor.clone() for name, tensor in fresh.tensors().items()}
    for place in torch.randint(len(content), (200,)).tolist():
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"damaged|pickle"):
            fresh.restore(tmp_path)
    assert fresh.tensors().keys() == before.keys()
    assert all(torch.equal(fresh.tensors()[name], before[name]) for name in before)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_truncated(tmp_path, share):
    path = Training(steps=1).save(tmp_path, position())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=f"{NEWEST} is .*damaged"):
        Training().restore(tmp_path)


def test_the_one_before_is_the_way_out(tmp_path):
    saved = Training(steps=1)
    saved.save(tmp_path, position(2))
    newest = saved.save(tmp_path, position(3))
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=f"remove it to go on from .*{BEFORE}"):
        Training().restore(tmp_path)
    newest.unlink()
    assert Training().restore(tmp_path) == position(2)


def test_pickle(tmp_path):
    torch.save(samples.network().state_dict(), tmp_path / NEWEST)
    with pytest.raises(CheckpointError, match="looks like a pickle"):
        Training().restore(tmp_path)


def test_folder_in_its_place(tmp_path):
    (tmp_path / NEWEST).mkdir()
    with pytest.raises(CheckpointError, match=NEWEST):
        Training().restore(tmp_path)


@pytest.mark.parametrize("notes", [{"classes": []}, {"format": 1, "config": {}}])
def test_other_sealed_file(tmp_path, notes):
    """Of decoded images, or of a network."""
    hashed_safetensors.write(tmp_path / NEWEST, {"images": torch.ones(2)}, notes)
    with pytest.raises(CheckpointError, match="no checkpoint of a training"):
        Training().restore(tmp_path)


def test_other_widths(tmp_path):
    path = Training().save(tmp_path, position())
    message = (
        r"another network: 0.weight is float32 \[4, 3, 3, 3\] there, float32 "
        r"\[5, 3, 3, 3\] here; 0.bias is .*; and 2 more"
    )
    with pytest.raises(CheckpointError, match=message):
        Training(samples.network(width=5)).restore(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        checkpoints.load_weights(path, samples.network(width=5))


def test_other_layers(tmp_path):
    Training().save(tmp_path, position())
    longer = samples.network()
    longer.append(nn.Linear(3, 3))
    with pytest.raises(CheckpointError, match=r"6.weight is absent there, float32"):
        Training(longer).restore(tmp_path)
    Training(longer).save(tmp_path / "longer", position())
    with pytest.raises(CheckpointError, match=r"6.weight is float32 .*, absent here"):
        Training().restore(tmp_path / "longer")


def test_other_dtype(tmp_path):
    Training().save(tmp_path, position())
    with pytest.raises(
        CheckpointError, match=r"0.weight is float32 .*, float64 .* here"
    ):
        Training(samples.network().double()).restore(tmp_path)


def test_same_parameters_other_architecture(tmp_path):
    """Another scale, or another function between: no parameter tells them apart."""

    def with_scale(scale):
        return nn.Sequential(ContinuousConv2d(3, 2, 3, scale=scale), samples.network(2))

    path = Training(with_scale(1)).save(tmp_path, position())
    with pytest.raises(CheckpointError, match=r"line 3 of print\(model\) is .*scale="):
        checkpoints.load_weights(path, with_scale(0.5))
    path = Training().save(tmp_path / "relu", position())
    sigmoid = samples.network()
    sigmoid[1] = nn.Sigmoid()
    with pytest.raises(CheckpointError, match=r"ReLU\(\) there, .*Sigmoid\(\) here"):
        checkpoints.load_weights(path, sigmoid)


def test_functions_are_the_same_in_another_process(tmp_path):
    """Where a function lies in memory is no difference."""

    class Shown(nn.Module):
        def extra_repr(self):
            return repr(functools.partial(lambda: None))

    Training(nn.Sequential(Shown(), samples.network())).save(tmp_path, position())
    again = nn.Sequential(Shown(), samples.network())
    checkpoints.load_weights(tmp_path, again)


def test_other_recipe(tmp_path):
    Training(recipe=Recipe(lr=0.1, epochs=3)).save(tmp_path, position())
    message = "another recipe: epochs is 3 there, 4 here; lr is 0.1 there, 0.2 here; r"
    with pytest.raises(CheckpointError, match=message):
        Training(recipe=Recipe(lr=0.2, epochs=4)).restore(tmp_path)
    checkpoints.load_weights(tmp_path, samples.network())


def test_a_setting_that_was_not_there_yet(tmp_path):
    """Had its default, and any other value is another recipe."""
    old = Training()
    del old.identity["recipe"]["jitter"]
    old.save(tmp_path, position())
    assert Training().restore(tmp_path) == position()
    message = r"another recipe: jitter is 0.0 there, 0.1 here"
    with pytest.raises(CheckpointError, match=message):
        Training(recipe=replace(RECIPE, jitter=0.1)).restore(tmp_path)


def test_other_images(tmp_path):
    Training().save(tmp_path, position())
    changed = samples.image_sets(4, side=8)
    changed.train.images[0, 0, 0, 0] ^= 1
    with pytest.raises(CheckpointError, match="was made with other images than these"):
        Training(sets=changed).restore(tmp_path)


def test_a_kill_between_two_names(tmp_path, monkeypatch):
    """The newest became the one before, too, and the process died there."""
    saved, names = Training(), []
    for _ in range(3):
        saved.save(tmp_path, position(2))
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "replace", _killed_at(tmp_path / NEWEST, names))
        saved.save(tmp_path, position(3))
    assert names == [BEFORE, NEWEST]
    assert Training().restore(tmp_path) == position(2)
    checkpoints.load_weights(tmp_path, samples.network())
    saved.save(tmp_path, position(4))
    assert Training().restore(tmp_path) == position(4)
    assert {entry.name for entry in tmp_path.iterdir()} == {NEWEST, BEFORE}


def _killed_at(target: Path, names: list[str]) -> Callable[..., None]:
    real = os.replace

    def replace(source: Path, name: Path) -> None:
        assert target.exists()
        names.append(name.name)
        if name == target:
            raise KeyboardInterrupt
        real(source, name)

    return replace
