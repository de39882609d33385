"""The recipe's optimizer, and its learning rate over time."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from contconv.kernels.learned import LearnedKernel
from training.muon import Muon
from training.recipe import Optimization


def new_optimizer(recipe: Optimization, model: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimizer.

    What has one dimension, as biases have, does not decay, nor do the bases of
    continuous kernels, which learn at a rate of their own. Each group has its ``share``
    of the learning rate.
    """
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            _groups(recipe, model),
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,
        )
    make = Muon if recipe.optimizer == "muon" else torch.optim.AdamW
    return make(_groups(recipe, model), lr=recipe.lr, betas=recipe.betas)


def _groups(recipe: Optimization, model: nn.Module) -> list[dict[str, Any]]:
    """Weights; what does not decay; bases; and, for Muon, filters."""
    bases = {parameter for kernel in _kernels(model) for parameter in _basis(kernel)}
    learned = [p for p in model.parameters() if p.requires_grad]
    others = [p for p in learned if p not in bases]
    muon = recipe.optimizer == "muon"
    share = recipe.others_lr if muon else 1.0
    filters = [p for p in others if p.ndim > 2] if muon else []
    weights = [p for p in others if p.ndim > 1 and not (muon and p.ndim > 2)]
    groups = [
        (weights, {"weight_decay": recipe.weight_decay, "share": share}),
        ([p for p in others if p.ndim <= 1], {"weight_decay": 0.0, "share": share}),
        (
            [p for p in learned if p in bases],
            {"weight_decay": 0.0, "share": share * recipe.basis_lr},
        ),
        (
            filters,
            {
                "weight_decay": recipe.weight_decay,
                "share": 1.0,
                "momentum": recipe.momentum,
                "unit": recipe.unit_filters,
            },
        ),
    ]
    return [{"params": params, **options} for params, options in groups if params]


def _kernels(model: nn.Module) -> Iterator[LearnedKernel]:
    return (m for m in model.modules() if isinstance(m, LearnedKernel))


def _basis(kernel: LearnedKernel) -> Iterator[nn.Parameter]:
    return (p for name, p in kernel.named_parameters() if name != "head")


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set what the next step learns with."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]


def learning_rate(recipe: Optimization, step: int, steps: int) -> float:
    """The learning rate of step number ``step`` of ``steps``, counted from 0."""
    done = (step + 1) / (steps + 1)
    if done < recipe.warmup:
        return recipe.lr * done / recipe.warmup
    fallen = (done - recipe.warmup) / (1 - recipe.warmup)
    return recipe.lr * (1 + math.cos(math.pi * fallen)) / 2
