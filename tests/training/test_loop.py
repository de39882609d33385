"""The loop learns, the same every time, at whatever scales it should."""

import math
import os
import signal
import threading
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

import pytest
import torch
from torch import nn

from contconv import ContinuousConv2d
from contconv.nn.scales import scales_of
from tests.training import samples
from training import log
from training.checkpoints import NEWEST, load_weights
from training.errors import CheckpointError
from training.loop import Recipe, fit
from training.signals import Stopped

SETS = samples.image_sets(16, side=8)
RECIPE = Recipe(epochs=3, batch_size=8, lr=5e-3)


def train(model, recipe=RECIPE, sets=SETS, **options):
    return fit(model, sets, recipe, progress=False, **options)


def assert_same(model, other):
    own, others = model.state_dict(), other.state_dict()
    assert all(torch.equal(own[name], others[name]) for name in others)


class Resizing(nn.Sequential):
    """A network with two continuous layers, which notes the scales that it has."""

    def __init__(self, channels: int = 3, width: int = 4) -> None:
        torch.manual_seed(1)
        super().__init__(
            ContinuousConv2d(channels, width, 3, scale=0.7),
            nn.ReLU(),
            ContinuousConv2d(width, width, 3, scale=0.7, size=4),
            nn.Flatten(),
            nn.Linear(width * 16, 3),
        )
        self.seen = []

    def forward(self, input):
        self.seen.append((self.training, scales_of(self)))
        return super().forward(input)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "sgd", "lr": 0.1},
        {"optimizer": "muon", "lr": 0.1, "whiten": True, "test_mirrored": True},
        {"amp": True},
    ],
    ids=str,
)
def test_learns(options):
    """Stripes, from chance (one in three) to nearly all, also on the test images."""
    recipe = Recipe(**{"epochs": 12, "batch_size": 8, "lr": 1e-2, **options})
    history = train(samples.network(width=8), recipe)
    assert [record["epoch"] for record in history] == list(range(12))
    assert history[0]["loss"] > 2 * history[-1]["loss"]
    assert history[-1]["test_accuracy"] > 0.9 < history[-1]["train_accuracy"]
    assert all(record["seconds"] > 0 for record in history)


@pytest.mark.parametrize("jitter", [0.0, 0.2])
def test_the_same_every_time(jitter):
    recipe = Recipe(epochs=2, batch_size=8, jitter=jitter)
    models = [Resizing(), Resizing()]
    histories = []
    for model in models:
        torch.rand(7)
        histories.append(train(model, recipe))
    assert_same(*models)
    for one, other in zip(*histories, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_the_seed_decides():
    models = [samples.network(), samples.network()]
    for seed, model in enumerate(models):
        train(model, Recipe(epochs=1, batch_size=8, seed=seed))
    first, other = (model.get_parameter("0.weight") for model in models)
    assert not torch.equal(first, other)


def test_one_step_by_hand():
    """Plain torch, in float64, gives the same loss and the same weights."""
    sets = samples.image_sets(4, side=8)
    recipe = Recipe(
        epochs=1,
        batch_size=12,
        optimizer="sgd",
        lr=0.1,
        warmup=0.0,
        momentum=0.0,
        weight_decay=0.0,
        label_smoothing=0.1,
        augment=False,
    )
    model, other = samples.network(), samples.network().double()
    (record,) = train(model, recipe, sets)
    values = sets.train.images.double()
    mean = values.mean((0, 2, 3), keepdim=True)
    deviation = values.std((0, 2, 3), keepdim=True, correction=0)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    loss = criterion(other((values - mean) / deviation), sets.train.labels)
    loss.backward()
    assert record["loss"] == pytest.approx(loss.item(), rel=1e-5)
    # Half a cosine is at one half in the middle, where the only step lies.
    torch.optim.SGD(other.parameters(), lr=0.05).step()
    for own, expected in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(own.double(), expected, rtol=1e-5, atol=1e-6)


def test_networks_draw_other_numbers_at_each_step():
    drawn = []

    class Drawing(nn.Sequential):
        def forward(self, input):
            if self.training:
                drawn.append(torch.rand(1).item())
            return super().forward(input)

    train(Drawing(samples.network()))
    assert len(drawn) == len(set(drawn)) == 18


def test_jitter():
    """Scales change with each step, their product does not; tests have none."""
    model = Resizing()
    train(model, Recipe(epochs=2, batch_size=8, jitter=0.2))
    learning = [scales for training, scales in model.seen if training]
    testing = [scales for training, scales in model.seen if not training]
    assert len(learning) == 12 and len({str(scales) for scales in learning}) == 12
    own = scales_of(model)
    for scales in learning:
        for axis in range(2):
            product = scales[0][axis] * scales[1][axis]
            assert product == own[0][axis] * own[1][axis]
            assert abs(scales[0][axis] / own[0][axis] - 1) < 0.21
    assert testing == [own] * len(testing)


def test_no_jitter():
    model = Resizing()
    train(model, Recipe(epochs=1, batch_size=8))
    assert {str(scales) for _, scales in model.seen} == {str(scales_of(model))}


def test_jitter_without_continuous_layers():
    with pytest.raises(ValueError, match="the network has none; set jitter to 0"):
        train(samples.network(), Recipe(jitter=0.1))


def test_wrong_number_of_logits():
    model = samples.network()
    model[-1] = nn.Linear(64, 2)
    with pytest.raises(ValueError, match=r"each of the 3 classes, .* got \[8, 2\]"):
        train(model, Recipe(batch_size=8))


@pytest.mark.parametrize("log_every", [1, 1000])
def test_divergence(tmp_path, log_every):
    recipe = Recipe(epochs=1, batch_size=8, lr=1e30, optimizer="sgd")
    with pytest.raises(
        FloatingPointError, match=r"the loss is (nan|inf) in epoch 0; l"
    ):
        train(samples.network(), recipe, folder=tmp_path, log_every=log_every)
    assert not (tmp_path / NEWEST).exists()
    assert all(
        math.isfinite(line.get("loss", 0)) for line in log.read(tmp_path / log.NAME)
    )


def test_log(tmp_path):
    history = train(samples.network(), RECIPE, folder=tmp_path, log_every=4)
    start, *lines = log.read(tmp_path / log.NAME)
    assert start["recipe"]["lr"] == RECIPE.lr and start["steps"] == 0
    assert start["device"] == "cpu" and start["processes"] == 1
    order = [f"{line['kind']} {line['steps']}" for line in lines]
    expected = "step 4, epoch 6, step 10, epoch 12, step 16, epoch 18"
    assert order == expected.split(", ")
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert [{k: line[k] for k in history[0]} for line in epochs] == history
    rates = [line["lr"] for line in lines if line["kind"] == "step"]
    assert RECIPE.lr >= rates[0] > rates[1] > rates[2] > 0


def test_resume_of_what_is_complete(tmp_path):
    model, again = samples.network(), samples.network(3, 4)
    history = train(model, folder=tmp_path)
    text = (tmp_path / log.NAME).read_text()
    assert train(again, folder=tmp_path, resume=True) == history
    assert_same(again, model)
    assert_same(load_weights(tmp_path, samples.network()), model)
    assert (tmp_path / log.NAME).read_text().startswith(text)


def test_a_folder_that_is_taken(tmp_path):
    train(samples.network(), Recipe(epochs=1), folder=tmp_path)
    with pytest.raises(
        CheckpointError, match="holds a training already; resume it, or"
    ):
        train(samples.network(), Recipe(epochs=1), folder=tmp_path)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_and_resumed_many_times(tmp_path, number, steps):
    """A signal in every so many steps; the result is the same, bit for bit."""
    expected = with_dropout()
    history = train(expected)
    model = with_dropout()
    resumed = killed(model, tmp_path, number, steps)
    while resumed is None:
        model = with_dropout()
        resumed = killed(model, tmp_path, number, steps)
    assert [{**r, "seconds": 0} for r in resumed] == [
        {**r, "seconds": 0} for r in history
    ]
    assert_same(model, expected)
    lines = [ln for ln in log.read(tmp_path / log.NAME) if ln["kind"] != "start"]
    order = [(line["kind"], line["steps"]) for line in lines]
    assert len(order) == len(set(order)) == 21


@pytest.mark.parametrize("optimizer", ["muon", "sgd"])
def test_resumed_with_any_optimizer(tmp_path, optimizer):
    """What it keeps of each parameter is not the same for all with Muon."""
    recipe, expected = replace(RECIPE, optimizer=optimizer), with_dropout()
    train(expected, recipe)
    assert killed(with_dropout(), tmp_path, signal.SIGTERM, 4, recipe) is None
    model = with_dropout()
    train(model, recipe, folder=tmp_path, resume=True)
    assert_same(model, expected)


def killed(model, folder, number, steps, recipe=RECIPE):
    """The history of a training; None where a signal came first."""
    model.register_forward_hook(Killer(number, steps))
    try:
        return train(model, recipe, folder=folder, resume=True, log_every=1)
    except Stopped as stopped:
        assert stopped.code == 128 + number


def with_dropout() -> nn.Module:
    """A network that draws random numbers itself."""
    return nn.Sequential(nn.Dropout(0.2), samples.network())


class Killer:
    """Sends this process a signal, in the forward pass of a certain training step."""

    def __init__(self, number: int, step: int) -> None:
        self.number, self.left = number, step

    def __call__(self, module: nn.Module, inputs: object, output: object) -> None:
        self.left -= module.training
        if self.left == 0 and module.training:
            os.kill(os.getpid(), self.number)


def test_signals_are_as_before(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    train(samples.network(), Recipe(epochs=1), folder=tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread(tmp_path):
    """No signal can be caught there; it trains all the same."""
    results = []
    thread = threading.Thread(
        target=lambda: results.append(
            train(samples.network(), Recipe(epochs=1), folder=tmp_path)
        )
    )
    thread.start()
    thread.join()
    assert len(results[0]) == 1


def test_the_screen(capsys):
    fit(samples.network(), SETS, Recipe(epochs=1, batch_size=8))
    shown = capsys.readouterr().out
    assert "training on cpu, 1 process" in shown
    assert "epoch 1 of 1: loss" in shown and "6/6" in shown


def test_tensorboard(tmp_path):
    """What it shows is what the log says; without it, a message says so."""
    options = {"folder": tmp_path, "tensorboard": True, "log_every": 2}
    if find_spec("tensorboard") is None:
        with pytest.raises(ModuleNotFoundError, match="pip install tensorboard"):
            train(samples.network(), Recipe(epochs=1), **options)
        return
    train(samples.network(), RECIPE, **options)
    name = "tensorboard.backend.event_processing.event_accumulator"
    events = import_module(name).EventAccumulator(str(tmp_path)).Reload()
    lines = log.read(tmp_path / log.NAME)
    for kind in ("step", "epoch"):
        shown = [(e.step, e.value) for e in events.Scalars(f"{kind}/loss")]
        logged = [(ln["steps"], ln["loss"]) for ln in lines if ln["kind"] == kind]
        assert shown == [(step, pytest.approx(loss)) for step, loss in logged]
