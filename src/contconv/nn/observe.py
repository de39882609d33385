"""A network run once, to see the calls of its modules: names, shapes, arguments."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Shape = tuple[int, ...]


@dataclass(eq=False)
class Call:
    """One call of a module: what it was given, and what came out.

    Tensors are not kept: for each there is its shape.

    Attributes:
        name: Of the module in the network; the first, if it has several.
        module: What was called.
        arguments: By the names that its ``forward`` has for them; tensors as their
            shapes.
        before: The shape of its first argument; None unless that is a tensor.
        dtype: Of that tensor.
        after: The shape of its output; None unless that is a tensor, or before it ends.
        inside: The call during which this one was made, of those that are watched.
        ended: Whether it has returned.
    """

    name: str
    module: nn.Module
    arguments: dict[str, Any]
    before: Shape | None = None
    dtype: torch.dtype | None = None
    after: Shape | None = None
    inside: "Call | None" = None
    ended: bool = False

    @property
    def shapes(self) -> tuple[Shape, Shape]:
        """Of its input and output, where both are tensors."""
        assert self.before is not None and self.after is not None
        return self.before, self.after


@contextmanager
def watching(model: nn.Module, modules: Iterable[nn.Module]) -> Iterator[list[Call]]:
    """Calls of these modules of a network, in the order in which they begin."""
    names = {module: name for name, module in model.named_modules()}
    calls: list[Call] = []
    running: list[Call] = []
    handles: list[RemovableHandle] = []

    def begin(
        module: nn.Module, args: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        bound = signature(type(module).forward).bind(module, *args, **options)
        _, *given = bound.arguments.items()
        shapes = {name: _shape_or_value(value) for name, value in given}
        call = Call(names[module], module, shapes, inside=(running or [None])[-1])
        if given and isinstance(first := given[0][1], Tensor):
            call.before, call.dtype = tuple(first.shape), first.dtype
        calls.append(call)
        running.append(call)

    def end(module: nn.Module, args: Any, output: Any) -> None:
        # Those above it have failed, and the network went on.
        while (call := running.pop()).module is not module:
            pass
        call.ended = True
        if isinstance(output, Tensor):
            call.after = tuple(output.shape)

    try:
        for module in dict.fromkeys(modules):
            handles.append(module.register_forward_pre_hook(begin, with_kwargs=True))
            handles.append(module.register_forward_hook(end))
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _shape_or_value(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, Tensor) else value


@torch.no_grad()
def observed(
    model: nn.Module, example: Any, modules: Iterable[nn.Module]
) -> list[Call]:
    """The calls of these modules while a network runs once, in evaluation mode.

    Args:
        model: Any network; its modes and hooks are as before afterwards.
        example: Its input, or a tuple of its arguments.
        modules: Those whose calls are wanted.
    """
    arguments = example if isinstance(example, tuple) else (example,)
    # Compiled graphs would not call the hooks.
    eager = torch.compiler.set_stance("force_eager")
    with evaluating(model), eager, watching(model, modules) as calls:
        model(*arguments)
    return calls


def first_calls(calls: Iterable[Call]) -> dict[nn.Module, Call]:
    """Of each module the first call that took a tensor and gave one."""
    whole = [call for call in calls if call.before is not None and call.after]
    return {call.module: call for call in reversed(whole)}


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
