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
    """Parameters by their roles, and how those learn."""
    muon = recipe.optimizer == "muon"
    share = recipe.others_lr if muon else 1.0
    decay = {"weight_decay": recipe.weight_decay}
    own = {"momentum": recipe.momentum, "unit": recipe.unit_filters}
    options = {
        "weight": {**decay, "share": share},
        "vector": {"weight_decay": 0.0, "share": share},
        "basis": {"weight_decay": 0.0, "share": share * recipe.basis_lr},
        "filter": {**decay, "share": 1.0, **own},
    }
    bases = {parameter for kernel in _kernels(model) for parameter in _basis(kernel)}
    parameters: dict[str, list[nn.Parameter]] = {role: [] for role in options}
    for one in model.parameters():
        if one.requires_grad:
            role = "basis" if one in bases else _role(one, muon)
            parameters[role].append(one)
    return [
        {"params": parameters[role], **how}
        for role, how in options.items()
        if parameters[role]
    ]


def _role(parameter: nn.Parameter, muon: bool) -> str:
    if parameter.ndim <= 1:
        return "vector"
    return "filter" if muon and parameter.ndim > 2 else "weight"


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
