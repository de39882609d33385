"""explain: what each engine would take for a convolution, and which one runs."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from contconv._grid.grid import AxisGrid
from contconv._grid.placement import Padding
from contconv._grid.ratio import Scale, Size
from contconv._runtime.memory import shortage
from contconv._runtime.shapes import Float, no_type_check
from contconv._runtime.text import decimal, readable, times, wrapped
from contconv.engines import ENGINES, Problem, choose, trial
from contconv.functional.call import Call, as_call
from contconv.functional.conv import as_problem
from contconv.functional.explanation import Candidate, Explanation
from contconv.kernels import ContinuousKernel


@no_type_check
def explain(
    input: Float[Tensor, "..."],
    kernel: ContinuousKernel | str,
    *,
    scale: Scale | None = None,
    size: Size | None = None,
    points: Float[Tensor, "..."] | None = None,
    groups: int = 1,
    padding: Padding | None = None,
    padding_mode: str = "zeros",
    antialias: bool = False,
    align: str = "center",
) -> Explanation:
    """What each engine would take for a convolution, and which one would run.

    Nothing is computed, and nothing as large as an image is allocated: it also answers
    for outputs that no memory could hold. ``torch.no_grad`` and ``torch.autocast`` are
    heeded, as the convolution would.

    Args:
        input: As in `continuous_conv`, but only shape, dtype and device count. A tensor
            on "meta" stands for one where the kernel is; or in main memory, if the
            kernel is on "meta", too.
        kernel: As in `continuous_conv`, as are the arguments that follow.
        scale: Output over input pixels, for all axes or for each.
        size: Output pixels, for all axes or for each.
        points: Positions to sample instead of a grid; possibly on "meta".
        groups: Groups of channels that do not mix.
        padding: How the grid lies, unless it is centred.
        padding_mode: What lies outside the input.
        antialias: Whether to stretch the kernel where an axis shrinks.
        align: Where the grid lies.

    Returns:
        The engines, with what each would spend, or why it cannot run.

    Raises:
        TypeError, ValueError: As `continuous_conv`, but not for want of memory.

    Example:
        >>> images = torch.empty(8, 64, 10**5, 10**5, device="meta")
        >>> kernel = CosineKernel(64, 64, (3, 3))
        >>> explain(images, kernel, scale=1 / 2).output_shape
        (8, 64, 50000, 50000)
        >>> explain(images, kernel, scale=0.74).engines["periodic"].reasons
        ['1369 sub-pixel phases; at most 64 are worth it']
    """
    call = as_call(
        stand_in(input, kernel),
        kernel,
        scale=scale,
        size=size,
        points=stand_in(points, kernel, torch.float32),
        groups=groups,
        padding=padding,
        padding_mode=padding_mode,
        antialias=antialias,
        align=align,
    )
    return explain_call(call)


def explain_call(call: Call) -> Explanation:
    """What each engine would take for a call, whose tensors may be stand-ins."""
    image = _like(call.image, call.dtype, call.image.device)
    problem = as_problem(image, call.kernel, call.grid, call.groups)
    chosen, _ = choose(problem, "auto")
    return Explanation(
        engine=next(name for name, engine in ENGINES.items() if engine is chosen),
        engines={name: _candidate(name, problem) for name in ENGINES},
        input_shape=tuple(call.image.shape[0 if call.is_batched else 1 :]),
        output_shape=call.output_shape,
        problem="\n".join(wrapped(line[8:], line[:8]) for line in _words(call)),
    )


def stand_in(value: Any, kernel: Any, least: torch.dtype | None = None) -> Any:
    """For a tensor, one of its shape that holds a single number.

    Its dtype has at least the precision of ``least``. It is on the tensor's device, or
    for one on "meta" where the kernel is, which needs a tensor beside it: in main
    memory for a kernel that only has a name.
    """
    if not isinstance(value, Tensor) or value.layout is not torch.strided:
        return value
    if value.is_quantized:
        return value
    dtype, device = value.dtype, value.device
    if least is not None and dtype.is_floating_point:
        dtype = torch.promote_types(dtype, least)
    if value.is_meta:
        is_kernel = isinstance(kernel, ContinuousKernel)
        device = kernel.head.device if is_kernel else torch.device("cpu")
    return _like(value, dtype, device)


def _like(tensor: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    one = torch.empty((), dtype=dtype, device=device)
    return one.expand(tensor.shape).requires_grad_(tensor.requires_grad)


def _candidate(name: str, problem: Problem) -> Candidate:
    engine = ENGINES[name]
    reasons = engine.unsupported(problem)
    if failure := trial.known_failure(name, problem):
        reasons = [*reasons, f"it failed its trial: {failure}"]
    if reasons:
        return Candidate(reasons, None, None)
    cost, image = engine.cost(problem), problem.image
    device = torch.device("cpu") if image.is_meta else image.device
    itemsize = image.element_size()
    return Candidate([], cost, shortage(problem.shape, itemsize, cost.memory, device))


def _words(call: Call) -> Iterator[str]:
    """What is computed: a line each for input, kernel, grid, output."""
    image, kernel, grid = call.image, call.kernel, call.grid
    device = "cpu" if image.is_meta else image.device
    dtype = str(call.dtype).removeprefix("torch.")
    yield f"input   {_size(image.shape, call.dtype)}, {dtype} on {device}"
    which = f"kernel  {type(kernel).__name__}({kernel.extra_repr()})"
    if kernel.is_shared and image.shape[1] > 1:
        which += f", one for all {image.shape[1]} channels"
    elif call.groups > 1:
        which += f", {call.groups} groups"
    yield which
    if isinstance(grid, AxisGrid):
        where = "scale " + times(decimal(axis.up / axis.down) for axis in grid.axes)
        where += ", antialiased" if any(axis.stretched for axis in grid.axes) else ""
        if any(axis.start is not None for axis in grid.axes):
            firsts = (axis.position(0) / axis.unit for axis in grid.axes)
            where += ", from " + times(map(decimal, firsts))
    else:
        where = times(grid.out_shape) + " points"
        where += ", others for each image" if grid.batch > 1 else ""
    yield f"grid    {where}, at most {grid.taps} pixels under the kernel"
    gradients = "with" if torch.is_grad_enabled() else "without"
    output_shape = (image.shape[0], call.out_channels, *grid.out_shape)
    yield f"output  {_size(output_shape, call.dtype)}, {gradients} gradients"


def _size(shape: Sequence[int], dtype: torch.dtype) -> str:
    return f"{times(shape)} ({readable(prod(shape) * dtype.itemsize)})"
