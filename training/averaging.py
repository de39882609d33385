"""The average of a network's parameters over its last steps."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

_KEY = "average"


class Average:
    """An exponential moving average of what an optimizer learns.

    It lies in the optimizer's state, and so in every checkpoint. While few steps are
    done, it forgets sooner, so that it does not remember how the network began.

    Args:
        optimizer: Its parameters are averaged.
        decay: The share of the average that a step leaves, below 1; 0 for no average.
    """

    def __init__(self, optimizer: Optimizer, decay: float) -> None:
        self.optimizer, self.decay = optimizer, decay

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take in what the parameters are after so many steps."""
        if not self.decay:
            return
        decay = min(self.decay, (1 + steps) / (10 + steps))
        for parameter in self._parameters():
            if parameter.grad is None and not self.optimizer.state.get(parameter):
                continue  # it has never learned; optimizers begin with an empty state
            state = self.optimizer.state[parameter]
            if _KEY not in state:
                state[_KEY] = parameter.detach().clone()
            state[_KEY].lerp_(parameter, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the network be the average, for a while."""
        learned = [parameter.detach().clone() for parameter in self._parameters()]
        self.apply()
        try:
            yield
        finally:
            _set(self._parameters(), learned)

    def apply(self) -> None:
        """Let the network be the average, where there is one."""
        state = self.optimizer.state
        known = [p for p in self._parameters() if _KEY in state.get(p, {})]
        _set(known, [state[p][_KEY] for p in known])

    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]


@torch.no_grad()
def _set(parameters: list[nn.Parameter], values: list[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
