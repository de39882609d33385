"""Call: a continuous convolution, its arguments checked and its grid made, once."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from contconv._grid.grid import AxisGrid, Grid, PointGrid, resized_axes
from contconv._grid.padding import check_padding_mode
from contconv._grid.placement import Padding, Placements, as_placements
from contconv._grid.ratio import Scale, Size
from contconv._runtime.autocast import autocast_dtype
from contconv._runtime.autograd import untraced
from contconv._runtime.shapes import Float, no_type_check
from contconv.engines import check_engine
from contconv.functional.checks import as_kernel, check_bias, check_input, check_points
from contconv.functional.plan import Plan, found_plan, plan_key
from contconv.kernels import ContinuousKernel


@dataclass(frozen=True)
class Call:
    """A continuous convolution, its arguments checked and its grid made, once.

    `run_call` computes it, `explain_call` says what that would take.
    """

    image: Float[Tensor, "n c *in_shape"]
    kernel: ContinuousKernel
    grid: Grid
    groups: int
    bias: Float[Tensor, " out"] | None
    dtype: torch.dtype  # of the output, and of the image as engines get it
    is_batched: bool
    engine: str
    plan: Plan | None = None  # what was kept, or is to be, for others like this

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        kernel = self.kernel
        return self.image.shape[1] if kernel.is_shared else kernel.head.shape[0]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of the output, with a batch if the input has one."""
        shape = (self.image.shape[0], self.out_channels, *self.grid.out_shape)
        return shape if self.is_batched else shape[1:]


@no_type_check
def as_call(
    input: Tensor,
    kernel: ContinuousKernel | str,
    *,
    scale: Scale | None = None,
    size: Size | None = None,
    points: Tensor | None = None,
    bias: Tensor | None = None,
    groups: int = 1,
    padding: Padding | Placements | None = None,
    padding_mode: str = "zeros",
    antialias: bool = False,
    align: str = "center",
    engine: str = "auto",
    stretch: Tensor | None = None,
    positions: tuple[Tensor, ...] | None = None,
) -> Call:
    """The call with these arguments of `continuous_conv`, or its error."""
    kernel = as_kernel(kernel, input)
    key = None
    if points is None:
        given = (scale, size, groups, padding, padding_mode, antialias, align, engine)
        key = plan_key(input, kernel, bias, *given)
        plan = found_plan(key)
        if plan is not None:
            is_batched = input.ndim == kernel.ndim + 2
            image = input if is_batched else input[None]
            own = (plan.grid, groups, bias, plan.dtype, is_batched, engine, plan)
            return Call(image, kernel, *own)
    check_engine(engine)
    support, ndim = kernel.kernel_size, kernel.ndim
    with untraced():
        check_input(input, kernel, groups)
        check_padding_mode(padding_mode)
        placements = as_placements(padding, support, align)
        in_shape = tuple(input.shape[-ndim:])
        if points is None:
            options = (scale, size, antialias, placements)
            grid = AxisGrid(resized_axes(in_shape, support, *options), padding_mode)
        elif (scale, size, placements) == (None, None, None) and not antialias:
            check_points(points, input, ndim)
            own = (in_shape, support, padding_mode, stretch, positions)
            grid = PointGrid(points, *own)
        else:
            raise ValueError(
                "points say where to sample; leave out scale, size, padding, align "
                "and antialias"
            )
    if isinstance(grid, PointGrid):
        grid = replace(grid, points=_as_batch(points, ndim))
    is_batched = input.ndim == ndim + 2
    image = input if is_batched else input[None]
    dtype = autocast_dtype(image) or image.dtype
    plan = None if key is None else Plan(key, grid, dtype)
    call = Call(image, kernel, grid, groups, bias, dtype, is_batched, engine, plan)
    check_bias(bias, call.out_channels, image)
    return call


def _as_batch(points: Any, ndim: int) -> Float[Tensor, "b *out_shape ndim"]:
    points = points.to(torch.promote_types(points.dtype, torch.float32))
    if points.ndim == ndim + 1:
        return points[None]
    # Of no images, one for all: engines count on a grid.
    return points if points.shape[0] else points.sum(0, keepdim=True)
