"""The recipe's optimizer, and its learning rate over time."""

import math

import torch
from torch import nn

from training.recipe import Optimization


def new_optimizer(recipe: Optimization, model: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimizer; biases and other vectors do not decay."""
    learned = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learned if p.ndim > 1]},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            groups,
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,
            weight_decay=recipe.weight_decay,
        )
    return torch.optim.AdamW(
        groups, lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay
    )


def learning_rate(recipe: Optimization, step: int, steps: int) -> float:
    """The learning rate of step number ``step`` of ``steps``, counted from 0."""
    done = (step + 1) / (steps + 1)
    if done < recipe.warmup:
        return recipe.lr * done / recipe.warmup
    fallen = (done - recipe.warmup) / (1 - recipe.warmup)
    return recipe.lr * (1 + math.cos(math.pi * fallen)) / 2
