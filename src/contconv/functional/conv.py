"""continuous_conv: the operator as a function."""

from dataclasses import replace

import torch
from torch import Tensor

from contconv._grid.grid import AxisGrid, Grid
from contconv._grid.placement import Padding
from contconv._grid.ratio import Scale, Size
from contconv._runtime.autocast import no_autocast
from contconv._runtime.autograd import is_transformed
from contconv._runtime.memory import check_fits
from contconv._runtime.memory_format import like_layout
from contconv._runtime.shapes import Float, no_type_check
from contconv.engines import ENGINES, Problem, choose
from contconv.engines.native import engine as native_engine
from contconv.functional.call import Call, as_call
from contconv.functional.plan import Plan
from contconv.kernels import ContinuousKernel


@no_type_check
def continuous_conv(
    input: Float[Tensor, "..."],
    kernel: ContinuousKernel | str,
    *,
    scale: Scale | None = None,
    size: Size | None = None,
    points: Float[Tensor, "..."] | None = None,
    bias: Float[Tensor, " out"] | None = None,
    groups: int = 1,
    padding: Padding | None = None,
    padding_mode: str = "zeros",
    antialias: bool = False,
    align: str = "center",
    engine: str = "auto",
) -> Float[Tensor, "..."]:
    r"""Convolve with a kernel that is a function of sub-pixel distance, at any scale.

    .. math::

        \begin{aligned}
        g_n &= \frac{n}{s} + \frac{\mathrm{in} - 1}{2} - \frac{\mathrm{out} - 1}{2 s}
            & \qquad \text{(Eq. 2)} \\
        \mathrm{out}[o, n] &= \sum_{c, m} \mathrm{input}[c, m] \, K(g_n - m)[o, c]
            & \qquad \text{(Eq. 1)}
        \end{aligned}

    The sum runs over the pixels :math:`m` within half a kernel size of :math:`g_n`; a
    pixel exactly on that edge counts half. The output is centred on the input, and
    covers the same extent where ``size`` is not given beside ``scale``, up to the
    fraction of a pixel that a whole number of output pixels takes.

    Args:
        input: ``[n, c, *in]``, or ``[c, *in]`` without a batch, with as many axes
            ``in`` as the kernel has.
        kernel: A kernel, or the name of a classical one: ``"box"``, ``"linear"``,
            ``"cubic"``, ``"lanczos2"``, ``"lanczos3"``, ``"sinc"``, ``"gaussian"``. One
            with a single input and output channel filters every channel alike.
        scale: Output over input pixels, for all axes or for each. An int or a
            ``Fraction`` is taken exactly, a float to the nearest ratio with a
            denominator up to 10**6. 1 if neither scale, size nor points are given.
        size: Output pixels, for all axes or for each. Without a scale, the scale is
            ``size / in``; without a size, the size is ``ceil(scale * in)``. With both,
            the grid keeps the scale, has this size, and stays centred.
        points: Positions to sample instead of a grid, in input pixels, with the first
            pixel's centre at 0 and the coordinates in the input's order (y, x):
            ``[*out, axes]``, or ``[n, *out, axes]`` for a grid per image. Any values;
            gradients flow to them, except through the choice of the neighbors.
        bias: ``[o]``, added to every output pixel.
        groups: Groups of channels that do not mix, as in `torch.nn.functional.conv2d`.
        padding: Lay the grid as a strided convolution with so much padding does, for
            all axes or for each: the first kernel begins so many pixels before the
            input, and a scale alone gives ``ceil(scale * (in + 2 * padding -
            kernel_size + 1))`` pixels. Centred on the input, as above, unless given.
        padding_mode: What lies outside the input: ``"zeros"``, ``"reflect"``,
            ``"replicate"``, ``"circular"`` or ``"symmetric"``.
        antialias: Where an axis shrinks, stretch the kernel by ``1 / scale`` and weigh
            it by ``scale``, so that it covers all pixels.
        align: Where the grid lies: ``"center"`` as in Eq. 2; ``"edge"``, the first
            boundary of the output on that of the input, ``g_n = (n + 1/2) / s - 1/2``
            (MATLAB, GDAL, and `torch.nn.functional.interpolate` with a scale factor);
            ``"first"``, the first pixel on the first, ``g_n = n / s`` (audio, grids of
            points). The first two are the same where ``s * in`` is whole.
        engine: How to compute it: ``"auto"``, or by name: ``"native"``,
            ``"periodic"``, ``"fused"``, ``"separable"``, ``"factored"`` or
            ``"reference"``.

    Returns:
        ``[n, o, *out]``, or ``[o, *out]`` without a batch, in the memory format of the
        input.

    Raises:
        TypeError: If ``input`` is not a floating-point tensor of the kernel's dtype, or
            another argument is of a wrong type.
        ValueError: If shapes, channels, scales or sizes do not fit, a name is unknown,
            the engine cannot run it, or the output cannot fit into memory.

    Example:
        >>> image = torch.rand(1, 3, 4, 4)
        >>> continuous_conv(image, "cubic", scale=(0.6, 1.4)).shape
        torch.Size([1, 3, 3, 6])
    """
    call = as_call(
        input,
        kernel,
        scale=scale,
        size=size,
        points=points,
        bias=bias,
        groups=groups,
        padding=padding,
        padding_mode=padding_mode,
        antialias=antialias,
        align=align,
        engine=engine,
    )
    return run_call(call)


def run_call(call: Call) -> Float[Tensor, "..."]:
    """The output of a call."""
    image, bias, plan = call.image.to(call.dtype), call.bias, call.plan
    if plan is not None and plan.grid is not call.grid:
        plan = None  # of the call that this one was made from
    if plan is None or plan.tables is None:
        options = (call.grid, call.groups, call.engine, plan)
        out = apply_kernel(image, call.kernel, *options)
    else:
        out = _apply_plan(image, call.kernel, call.groups, plan)
    if bias is not None:
        out = _add(out, bias.to(out.dtype).view(-1, *[1] * call.kernel.ndim))
    out = like_layout(out.to(call.dtype), call.image)
    return out if call.is_batched else out[0]


def _apply_plan(
    image: Float[Tensor, "n c *in_shape"],
    kernel: ContinuousKernel,
    groups: int,
    plan: Plan,
) -> Float[Tensor, "n o *out_shape"]:
    """Eq. 1 by the native engine, as in an earlier call."""
    assert plan.tables is not None
    images, groups = as_images(image, kernel, groups)
    out = native_engine.run(images, kernel.head, plan.tables, groups)
    return out if images is image else out.view(*image.shape[:2], *out.shape[2:])


def apply_kernel(
    image: Float[Tensor, "n c *in_shape"],
    kernel: ContinuousKernel,
    grid: Grid,
    groups: int,
    engine: str,
    plan: Plan | None = None,
) -> Float[Tensor, "n o *out_shape"]:
    """Eq. 1 on a grid, by the engine of that name, not rounded below float32.

    If a plan is given, it is kept for calls of the same kind.
    """
    problem = as_problem(image, kernel, grid, groups)
    chosen, cost = choose(problem, engine)
    if image.is_meta:
        chosen = ENGINES["factored"]  # which reads no numbers to divide its work
    check_fits(problem.shape, image.element_size(), cost.memory, image.device)
    # What may be rounded, the engine decides: the basis stays in float32.
    with no_autocast(image.device.type):
        if plan is not None and plan.keeps(problem, chosen):
            return _apply_plan(image, kernel, groups, plan)
        out = chosen.apply(problem)
    return out.view(*image.shape[:2], *grid.out_shape) if kernel.is_shared else out


def as_problem(
    image: Float[Tensor, "n c *in_shape"],
    kernel: ContinuousKernel,
    grid: Grid,
    groups: int,
) -> Problem:
    """The problem that engines solve: with a shared kernel, each channel an image."""
    images, groups = as_images(image, kernel, groups)
    if images is not image:
        grid = _repeat(grid, image.shape[1])
    return Problem(images, kernel, grid, groups)


def as_images(
    image: Float[Tensor, "n c *in_shape"], kernel: ContinuousKernel, groups: int
) -> tuple[Float[Tensor, "m i *in_shape"], int]:
    """With one filter for every channel, the channels are so many more images."""
    if image.shape[1] == 1 or not kernel.is_shared:
        return image, groups
    return image.flatten(0, 1)[:, None], 1


def _add(out: Tensor, bias: Tensor) -> Tensor:
    """The output with the bias added, in place where nothing is recorded."""
    if torch.is_grad_enabled() or is_transformed():
        return out + bias
    return out.add_(bias)


def _repeat(grid: Grid, times: int) -> Grid:
    """The grid of each image, for ``times`` images in its place."""
    if isinstance(grid, AxisGrid) or grid.batch == 1:
        return grid
    # Flattening keeps the stride of 0 that the stand-ins of `explain` have: no copy.
    points = grid.points[:, None].expand(-1, times, *grid.points.shape[1:])
    return replace(grid, points=points.flatten(0, 1))
