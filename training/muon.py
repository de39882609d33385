"""Muon: filters learn by momentum made orthogonal, all else by AdamW."""

import torch
from torch import Tensor

# Of the quintic iteration, and how often it is applied:
# https://kellerjordan.github.io/posts/muon
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(torch.optim.AdamW):
    """AdamW, with Muon in those groups that have ``momentum``.

    A filter ``[out, ...]`` is a matrix with a row for each output. The step is its
    Nesterov momentum with all singular values brought close to one, times the root of
    rows over columns where that is above one (`torch.optim.Muon`, which takes matrices
    alone). In groups that have ``unit``, filters get the norm of an orthogonal matrix
    first.
    """

    def __setstate__(self, state: dict) -> None:
        # AdamW looks for a count of steps in each, which filters have not.
        for one in state["state"].values():
            one.setdefault("step", torch.zeros(()))
        super().__setstate__(state)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Take a step; the gradients of filters are gone after it."""
        for group in self.param_groups:
            if "momentum" in group:
                for filters in group["params"]:
                    self._step(filters, group)
        super().step()  # which passes over what has no gradient

    def _step(self, filters: Tensor, group: dict) -> None:
        if filters.grad is None:
            return
        gradient, filters.grad = filters.grad, None
        state = self.state[filters]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        momentum = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        update = gradient.lerp(momentum, group["momentum"]).flatten(1)
        rows, columns = update.shape
        rate = group["lr"] * max(1, rows / columns) ** 0.5
        if group["unit"]:
            filters.mul_(min(rows, columns) ** 0.5 / filters.norm().clamp(min=1e-7))
        filters.mul_(1 - group["lr"] * group["weight_decay"])
        filters.sub_(orthogonalized(update).view_as(filters), alpha=rate)


def orthogonalized(matrix: Tensor) -> Tensor:
    """``U V'`` of ``U S V'``, nearly: singular values of about 0.7 to 1.2 for 1."""
    a, b, c = COEFFICIENTS
    wide = matrix.T if len(matrix) > matrix.shape[1] else matrix
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = wide @ wide.T
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return wide.T if len(matrix) > matrix.shape[1] else wide
