"""What shapes the layers of a network are given, from one run of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from contconv.nn._modes import evaluating


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
