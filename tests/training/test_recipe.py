"""The recipe refuses what cannot be; its optimizers take the steps that they should."""

import math

import pytest
import torch
from torch import nn

from contconv import ContinuousConv2d
from training.muon import orthogonalized
from training.optimizers import learning_rate, new_optimizer, set_learning_rate
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
        ("flips", "never"),
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


@pytest.mark.parametrize("name", ["adamw", "muon", "sgd"])
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
    assert [len(group["params"]) for group in groups] == [1]
    assert groups[0]["params"][0] is model.bias


@pytest.mark.parametrize("shape", [(6, 2, 3, 3), (30, 2, 3)], ids=str)
def test_muon(shape):
    """Filters as `torch.optim.Muon` takes the same matrices; the rest by AdamW."""
    torch.manual_seed(0)
    model = nn.ParameterList([torch.randn(shape), torch.randn(4)])
    matrix = nn.Parameter(model[0].detach().flatten(1).clone())
    vector = nn.Parameter(model[1].detach().clone())
    recipe = Recipe(optimizer="muon", others_lr=0.5, weight_decay=0.1, momentum=0.8)
    optimizer = new_optimizer(recipe, model)
    muon = torch.optim.Muon([matrix], lr=0.3, momentum=0.8, weight_decay=0.1)
    adamw = torch.optim.AdamW([vector], 0.15, betas=recipe.betas, weight_decay=0.0)
    for _ in range(3):
        for parameter, other in zip(model, (matrix, vector), strict=True):
            parameter.grad = torch.randn_like(parameter)
            other.grad = parameter.grad.view_as(other).clone()
        set_learning_rate(optimizer, 0.3)
        for one in (optimizer, muon, adamw):
            one.step()
    # That one iterates in bfloat16.
    torch.testing.assert_close(model[0].flatten(1), matrix, rtol=0.02, atol=0.02)
    torch.testing.assert_close(model[1], vector)


@pytest.mark.parametrize("shape", [(6, 2, 3, 3), (30, 2, 3)], ids=str)
def test_the_size_of_unit_filters_does_not_count(shape):
    """They are what orthogonal ones of that size would be, then take their step."""
    torch.manual_seed(0)
    filters = torch.randn(shape)
    learned = []
    for size in (0.1, 1, 10):
        model = nn.ParameterList([size * filters])
        recipe = Recipe(optimizer="muon", weight_decay=0.0, unit_filters=True)
        optimizer = new_optimizer(recipe, model)
        set_learning_rate(optimizer, 0.0)
        model[0].grad = torch.ones(shape)
        optimizer.step()
        learned.append(model[0].detach().flatten(1))
    left, _, right = torch.linalg.svd(filters.flatten(1), full_matrices=False)
    for one in learned:
        torch.testing.assert_close(one, learned[0])
        assert one.norm() == pytest.approx((left @ right).norm())


def test_orthogonalized():
    matrix = torch.randn(5, 40, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    spread = torch.linalg.svdvals(orthogonalized(matrix))
    assert spread.min() > 0.6 and spread.max() < 1.25
    mixed = left.T @ orthogonalized(matrix) @ right.T
    torch.testing.assert_close(mixed, mixed.diagonal().diag(), atol=1e-4, rtol=0)


def test_bases_have_a_rate_of_their_own():
    layer = ContinuousConv2d(2, 2, 3, kernel="mlp")
    optimizer = new_optimizer(Recipe(optimizer="sgd", lr=1.0, basis_lr=0.25), layer)
    set_learning_rate(optimizer, 1.0)
    rates = {
        parameter: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    for name, parameter in layer.named_parameters():
        basis = name not in ("kernel.head", "bias")
        decay = 0.05 if name == "kernel.head" else 0.0
        assert rates[parameter] == (0.25 if basis else 1.0, decay), name
