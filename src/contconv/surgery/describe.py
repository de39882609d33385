"""describe: what every continuous layer of a network would do."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from contconv._grid.coverage import distinct
from contconv._grid.grid import AxisGrid
from contconv._runtime.arguments import as_sizes
from contconv._runtime.shapes import no_type_check
from contconv._runtime.text import counted, readable, spent_time
from contconv.engines import Cost
from contconv.functional.explain import explain_call
from contconv.functional.explanation import Explanation
from contconv.nn.layer import ContinuousConv
from contconv.nn.observe import Shapes, evaluating
from contconv.surgery.discrete import CONVOLUTIONS, TRANSPOSED


def cost_of(module: nn.Module, ends: Shapes) -> int:
    """Multiply-adds of a layer of any kind, for an input of this shape."""
    if isinstance(module, ContinuousConv):
        return layer_cost(module, ends, module.kernel.head.dtype)
    return multiply_adds(module, ends.before, ends.after)


def layer_cost(layer: ContinuousConv, ends: Shapes, dtype: torch.dtype) -> int:
    """Multiply-adds of a continuous layer, for an input of this shape."""
    chosen = layer.explain(torch.empty(ends.before, dtype=dtype, device="meta"))
    cost = chosen.engines[chosen.engine].cost
    assert cost is not None  # the chosen engine can run
    return cost.multiply_adds


def parameters(module: nn.Module) -> int:
    """How many numbers a module has to learn."""
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(
    module: nn.Module, before: Sequence[int], after: Sequence[int]
) -> int:
    """What a discrete layer takes, from the shapes of its input and output."""
    if not isinstance(module, (*CONVOLUTIONS, *TRANSPOSED)):
        return 0
    numbers = prod(after) * module.in_channels
    if isinstance(module, TRANSPOSED):
        numbers = prod(before) * module.out_channels
    return numbers // module.groups * prod(module.kernel_size)


_COLUMNS = (
    "layer",
    "channels",
    "kernel",
    "scale",
    "input",
    "output",
    "distances",
    "engine",
    "parameters",
    "multiply-adds",
    "memory",
    "time",
)


@dataclass(frozen=True)
class Layer:
    """A continuous layer, and what it would do."""

    name: str  # in the network
    channels: tuple[int, int]  # of its input and its output
    kernel: str  # its kind and its width
    scale: str  # in words; "points" where it is learned
    distances: tuple[int, ...] | None  # how many the kernel sees on each axis
    parameters: int
    explanation: Explanation


@dataclass(frozen=True)
class Description:
    """What the continuous layers of a network would do; ``print`` shows a table.

    - ``layers``: in the order in which they run; those that do not are left out. Each
      has its ``name``, ``channels``, ``kernel``, ``scale``, the number of ``distances``
      that its kernel sees along each axis (None at points), ``parameters``, and the
      ``explanation`` of `contconv.explain`: shapes, engines and costs.
    - ``multiply_adds``: of all layers together.
    """

    layers: list[Layer]

    @property
    def multiply_adds(self) -> int:
        """Of all layers together."""
        return sum(_cost(layer).multiply_adds for layer in self.layers)

    def __str__(self) -> str:
        """A row for each layer, and the sums."""
        rows = [_COLUMNS, *map(_cells, self.layers)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
        lines = [
            "  ".join(
                f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)
            )
            for row in rows
        ]
        return "\n".join([*(line.rstrip() for line in lines), self._sums()])

    def _sums(self) -> str:
        time = sum(_cost(layer).time for layer in self.layers)
        return (
            f"{len(self.layers)} continuous layers: "
            f"{counted(sum(layer.parameters for layer in self.layers))} parameters, "
            f"{counted(self.multiply_adds)} multiply-adds, about {spent_time(time)} on "
            "two CPU cores"
        )


@no_type_check
def describe(model: nn.Module, input_size: Sequence[int]) -> Description:
    """Say what the continuous layers of a network would do for an input of a size.

    The network runs once, in evaluation mode, on zeros; its continuous layers are not
    computed. On "meta" nothing is: so a network can be planned before there is memory
    for it. As `explain`, it heeds ``torch.no_grad``.

    Args:
        model: Any network that takes one tensor.
        input_size: The shape of that tensor, with batch and channels.

    Returns:
        For each layer the grid, the engine, and what it costs.

    Raises:
        TypeError, ValueError: If ``input_size`` holds anything but positive whole
            numbers, or a layer refuses its input.

    Example:
        >>> from contconv import Gradual
        >>> plan = Gradual(64, 128, 3, scale=1 / 2, layers=3, device="meta")
        >>> for layer in describe(plan, (1, 64, 32, 32)).layers:
        ...     print(layer.name, layer.scale, layer.explanation.output_shape)
        0 7937/10000 (1, 128, 26, 26)
        2 31498/39685 (1, 128, 21, 21)
        4 12500/15749 (1, 128, 16, 16)
    """
    shape = as_sizes(input_size, len(input_size), "input_size")
    first = next(model.parameters(), None)
    own = {} if first is None else {"device": first.device, "dtype": first.dtype}
    found: list[Layer] = []
    explaining = partial(_explain, found, torch.is_grad_enabled())
    with torch.no_grad(), evaluating(model), _replaced(model, explaining):
        model(torch.zeros(shape, **own))
    return Description(found)


@contextmanager
def _replaced(model: nn.Module, forward: Callable[..., Tensor]) -> Iterator[None]:
    """Continuous layers that do something else, given the layer and its name."""
    layers = {n: m for n, m in model.named_modules() if isinstance(m, ContinuousConv)}
    for name, layer in layers.items():
        layer.forward = partial(forward, layer, name)  # type: ignore
    try:
        yield
    finally:
        for layer in layers.values():
            del layer.forward


def _explain(
    found: list[Layer],
    learns: bool,
    layer: ContinuousConv,
    name: str,
    input: Tensor,
    **options: Any,
) -> Tensor:
    """Zeros of the right shape; what the layer would do is put down."""
    with torch.set_grad_enabled(learns):
        call = layer._dry_call(input, **options)
        explanation = explain_call(call)
    scale, distances = "points", None
    if isinstance(call.grid, AxisGrid):
        axes = call.grid.axes
        ratios = [str(Fraction(axis.up, axis.down)) for axis in axes]
        scale, distances = " x ".join(dict.fromkeys(ratios)), tuple(map(distinct, axes))
    kernel = f"{type(layer.kernel).__name__} {'x'.join(map(str, layer.kernel_size))}"
    found.append(
        Layer(
            name,
            (layer.in_channels, layer.out_channels),
            kernel,
            scale,
            distances,
            parameters(layer),
            explanation,
        )
    )
    return input.new_zeros(explanation.output_shape)


def _cost(layer: Layer) -> Cost:
    cost = layer.explanation.engines[layer.explanation.engine].cost
    assert cost is not None  # the chosen engine can run
    return cost


def _cells(layer: Layer) -> tuple[str, ...]:
    cost, ends = _cost(layer), layer.explanation
    shortage = ends.engines[ends.engine].shortage
    return (
        layer.name or "(the model)",
        " -> ".join(map(str, layer.channels)),
        layer.kernel,
        layer.scale,
        " x ".join(map(str, ends.input_shape)),
        " x ".join(map(str, ends.output_shape)),
        "" if layer.distances is None else " x ".join(map(str, layer.distances)),
        ends.engine + (" (does not fit)" if shortage else ""),
        counted(layer.parameters),
        counted(cost.multiply_adds),
        readable(cost.memory),
        spent_time(cost.time),
    )
