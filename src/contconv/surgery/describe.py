"""describe: what every continuous layer of a network would do."""

from collections.abc import Iterator, Sequence
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
from contconv._runtime.text import (
    aligned,
    counted,
    scale_text,
    spent_time,
    times,
    wrapped,
)
from contconv.functional.explain import explain_call
from contconv.functional.explanation import COSTS, Explanation, cost_words
from contconv.nn.layer import ContinuousConv
from contconv.nn.observe import Call, Shape, observed
from contconv.nn.scales import continuous_layers
from contconv.surgery.discrete import CONVOLUTIONS, TRANSPOSED


def cost_of(module: nn.Module, before: Shape, after: Shape) -> int:
    """Multiply-adds of a layer of any kind, from the shapes of input and output."""
    if isinstance(module, ContinuousConv):
        image = torch.empty(before, dtype=module.kernel.head.dtype, device="meta")
        return module.explain(image).cost.multiply_adds
    return multiply_adds(module, before, after)


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


_GRID = ("layer", "kernel", "channels", "scale", "pixels", "distances")
_COSTS = ("layer", "engine", "parameters", *COSTS)


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
        return sum(layer.explanation.cost.multiply_adds for layer in self.layers)

    def __repr__(self) -> str:
        """The sums alone; ``print`` shows the table."""
        return f"<Description: {self._sums()}>"

    def __str__(self) -> str:
        """What each layer does, what that costs, and the sums."""
        grids = aligned([_GRID, *map(_grid, self.layers)])
        costs = aligned([_COSTS, *map(_costs, self.layers)], ("parameters", *COSTS))
        sums = wrapped(f"{self._sums()} on two CPU cores")
        return "\n".join([*grids, "", *costs, "", sums])

    def _sums(self) -> str:
        time = sum(layer.explanation.cost.time for layer in self.layers)
        return (
            f"{len(self.layers)} continuous layers: "
            f"{counted(sum(layer.parameters for layer in self.layers))} parameters, "
            f"{counted(self.multiply_adds)} multiply-adds, about {spent_time(time)}"
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
        0 0.7937 (1, 128, 26, 26)
        2 0.7937 (1, 128, 21, 21)
        4 0.7937 (1, 128, 16, 16)
    """
    shape = as_sizes(input_size, len(input_size), "input_size")
    first = next(model.parameters(), None)
    own = {} if first is None else {"device": first.device, "dtype": first.dtype}
    layers = continuous_layers(model)
    with _not_computed(layers):
        calls = observed(model, torch.zeros(shape, **own), layers)
    return Description([_described(call) for call in calls])


@contextmanager
def _not_computed(layers: Sequence[ContinuousConv]) -> Iterator[None]:
    """Layers that give zeros of the right shape."""
    for layer in layers:
        layer.forward = partial(_zeros, layer)  # type: ignore
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _zeros(layer: ContinuousConv, input: Tensor, *args: Any, **options: Any) -> Tensor:
    given = dict(zip(("output_size",), args, strict=False)) | options
    return input.new_zeros(
        layer._dry_call(input, **_options(layer, given)).output_shape
    )


def _options(layer: ContinuousConv, given: dict[str, Any]) -> dict[str, Any]:
    """What a call gives beside the input; the output size of a transposed one, too."""
    options = {name: given.get(name) for name in ("scale", "size", "points")}
    if (size := given.get("output_size")) is not None:
        options |= {"scale": layer.scale, "size": tuple(size[-layer.ndim :])}
    return options


def _described(call: Call) -> Layer:
    layer = call.module
    assert isinstance(layer, ContinuousConv) and call.before is not None
    image = torch.empty(call.before, dtype=call.dtype, device="meta")
    options = _options(layer, call.arguments)
    if options["points"] is not None:
        options["points"] = torch.empty(options["points"], device="meta")
    scale, distances, what = "points", None, layer._dry_call(image, **options)
    if isinstance(what.grid, AxisGrid):
        axes = what.grid.axes
        scale = scale_text([Fraction(axis.up, axis.down) for axis in axes])
        distances = tuple(map(distinct, axes))
    return Layer(
        call.name,
        (layer.in_channels, layer.out_channels),
        f"{type(layer.kernel).__name__} {times(layer.kernel_size)}",
        scale,
        distances,
        parameters(layer),
        explain_call(what),
    )


def _grid(layer: Layer) -> tuple[str, ...]:
    ends = layer.explanation
    before, after = (times(s[2:]) for s in (ends.input_shape, ends.output_shape))
    channels = " -> ".join(map(str, layer.channels))
    cells = (layer.kernel, channels, layer.scale, f"{before} -> {after}")
    return (layer.name or "(the model)", *cells, times(layer.distances or ()))


def _costs(layer: Layer) -> tuple[str, ...]:
    ends = layer.explanation
    engine = ends.engine
    if ends.engines[engine].shortage:
        engine += " (does not fit)"
    cells = (engine, counted(layer.parameters), *cost_words(ends.cost))
    return (layer.name or "(the model)", *cells)
