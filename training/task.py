"""What a training learns, step by step."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class Task(Protocol):
    """A network, its optimizer and its images.

    Attributes:
        model: What is trained, in place.
        optimizer: Its optimizer.
        recipe: The setting, an `Optimization`.
        device: Where it computes.
        steps: Steps an epoch.
        numbers: How many numbers a step returns.
    """

    model: nn.Module
    optimizer: Optimizer
    recipe: Any
    device: torch.device
    steps: int
    numbers: int

    def step(self, epoch: int, step: int) -> Tensor:
        """Learn from one batch; numbers to be summed over the epoch, the loss first."""
        ...

    def learning_rate(self, epoch: int, step: int) -> float:
        """The learning rate of a step."""
        ...

    def summary(self, sums: Sequence[float], steps: int) -> dict[str, float]:
        """What the steps of an epoch came to: ``loss``, and more."""
        ...

    def test(self) -> dict[str, float]:
        """What the network can do now."""
        ...
