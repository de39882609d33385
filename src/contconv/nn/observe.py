"""Evaluation mode for a while."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Shapes(NamedTuple):
    """A layer's input and output, when it first ran."""

    before: tuple[int, ...]
    after: tuple[int, ...]


@torch.no_grad()
def shapes(
    model: nn.Module, example: Any, modules: Sequence[nn.Module]
) -> dict[nn.Module, Shapes]:
    """The shapes of some modules, for an example input.

    The network runs once, in evaluation mode; modules that do not run are left out.

    Args:
        model: Any network.
        example: Its input, or a tuple of them.
        modules: Those whose shapes are wanted.
    """
    seen: dict[nn.Module, Shapes] = {}

    def record(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
        whole = arguments and isinstance(arguments[0], Tensor)
        if whole and isinstance(output, Tensor) and module not in seen:
            seen[module] = Shapes(tuple(arguments[0].shape), tuple(output.shape))

    handles = [
        module.register_forward_hook(record) for module in dict.fromkeys(modules)
    ]
    try:
        with evaluating(model):
            model(*(example if isinstance(example, tuple) else (example,)))
    finally:
        for handle in handles:
            handle.remove()
    return seen


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; each module then has its own again."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
