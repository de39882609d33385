"""The recipe refuses what cannot be; the learning rate rises and falls as it says."""

import math

import pytest
import torch
from torch import nn

from training.optimizers import learning_rate, new_optimizer
from training.recipe import Recipe


@pytest.mark.parametrize(
    "name, value",
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("lr", -1.0),
        ("lr", math.nan),
        ("weight_decay", math.inf),
        ("jitter", -0.1),
        ("warmup", 1.0),
        ("momentum", -0.1),
        ("label_smoothing", 1.5),
        ("optimizer", "lion"),
    ],
)
def test_bad_values(name, value):
    with pytest.raises(ValueError, match=f"{name}.* {value!r}"):
        Recipe(**{name: value})


def test_learning_rate():
    """Against torch's schedulers: a line, then half a cosine."""
    recipe, steps = Recipe(lr=0.5, warmup=0.25), 99
    rates = [learning_rate(recipe, step, steps) for step in range(steps)]
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=recipe.lr)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 75)
    for step in range(24, steps):
        assert rates[step] == pytest.approx(cosine.get_last_lr()[0])
        optimizer.step()
        cosine.step()
    assert rates[:25] == pytest.approx([0.5 * (i + 1) / 25 for i in range(25)])
    assert 0 < rates[-1] < 1e-3


def test_no_warmup():
    recipe = Recipe(lr=1.0, warmup=0.0)
    assert learning_rate(recipe, 0, 1) == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_vectors_do_not_decay(name):
    model = nn.Linear(2, 2)
    model.bias.data.fill_(1)
    weight = model.weight.detach().clone()
    optimizer = new_optimizer(Recipe(optimizer=name, weight_decay=0.1, lr=0.1), model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert model.bias.tolist() == [1, 1]
    assert (model.weight.abs() < weight.abs()).all()


def test_frozen_parameters_are_left_out():
    model = nn.Linear(2, 2)
    model.weight.requires_grad = False
    groups = new_optimizer(Recipe(), model).param_groups
    assert [len(group["params"]) for group in groups] == [0, 1]
