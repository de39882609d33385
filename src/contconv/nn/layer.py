"""ContinuousConv: what the layers of one to three dimensions share."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, ClassVar

import torch
from torch import Tensor, fx, nn

from contconv._grid.grid import Grid, points_of
from contconv._grid.padding import check_padding_mode
from contconv._grid.placement import Padding, as_argument, as_placements
from contconv._grid.ratio import Scale, Size, as_ratios
from contconv._runtime.arguments import as_sizes
from contconv._runtime.autograd import has_symbolic_sizes
from contconv._runtime.shapes import Float, no_type_check
from contconv.engines import check_engine
from contconv.functional.call import Call, as_call
from contconv.functional.conv import run_call
from contconv.functional.explain import explain_call, stand_in
from contconv.functional.explanation import Explanation
from contconv.kernels import ContinuousKernel
from contconv.kernels.head import check_channels
from contconv.kernels.names import learned_kernel
from contconv.nn.checks import check_layer_kernel
from contconv.nn.coverage import warn_if_few
from contconv.nn.learnable_scale import LearnableScale, axis_positions


class ContinuousConv(nn.Module):
    """A continuous convolution layer, but for its dimension.

    `contconv.ContinuousConv2d` says what the arguments are.
    """

    ndim: ClassVar[int]
    # Scale and size, for `using_scales` to put back: one for each that has begun.
    _before: tuple[list[Any], ...] = ()

    @no_type_check
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        *,
        scale: Scale | LearnableScale | None = None,
        size: Size | None = None,
        groups: int = 1,
        bias: bool = True,
        padding: Padding | None = None,
        padding_mode: str = "zeros",
        kernel: str | ContinuousKernel = "cosine",
        antialias: bool = False,
        align: str = "center",
        engine: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_channels(in_channels, out_channels, groups)
        check_padding_mode(padding_mode)
        check_engine(engine)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = as_sizes(kernel_size, self.ndim, "kernel_size")
        self.placements = as_placements(padding, self.kernel_size, align)
        self.learnable_scale: LearnableScale | None = None
        if isinstance(scale, LearnableScale):
            scale.per_axis(self.ndim)  # one number, or one for each axis
            self.learnable_scale, scale = scale, None
        self.scale, self.size = scale, size
        self.groups, self.padding_mode = groups, padding_mode
        self.antialias, self.engine = antialias, engine
        if isinstance(kernel, str):
            kernel = learned_kernel(
                kernel,
                in_channels,
                out_channels,
                self.kernel_size,
                groups=groups,
                device=device,
                dtype=dtype,
            )
        check_layer_kernel(kernel, self.kernel_size, in_channels, out_channels, groups)
        self.kernel = kernel
        self._warned_at: Any = None  # the scale whose distances were counted last
        self.bias: nn.Parameter | None
        if bias:
            empty = torch.empty(out_channels, device=device, dtype=dtype)
            self.bias = nn.Parameter(empty)
        else:
            self.register_parameter("bias", None)
        self._reset_bias()

    @property
    def scale(self) -> tuple[Fraction, ...] | None:
        """Output over input pixels, per axis; what is set may be one for all.

        None is 1 for a layer without a size, and ``size / in`` for one that has it. Of
        a scale that is learned, its value now; one that is set comes before it.
        """
        ratios = self._ratios
        if ratios is None and self.learnable_scale is not None:
            return self.learnable_scale.ratios(self.ndim)
        return None if ratios is None else tuple(Fraction(*ratio) for ratio in ratios)

    @scale.setter
    @no_type_check
    def scale(self, scale: Scale | None) -> None:
        # Whole numbers: compiled graphs cannot hold a Fraction.
        self._ratios = None if scale is None else as_ratios(scale, self.ndim)

    @property
    def size(self) -> tuple[int, ...] | None:
        """Output pixels per axis, or None for as many as the scale gives."""
        return self._size

    @size.setter
    @no_type_check
    def size(self, size: Size | None) -> None:
        self._size = None if size is None else as_sizes(size, self.ndim)

    def reset_parameters(self) -> None:
        """Draw the kernel's parameters and the bias anew, as `nn.Conv2d` does."""
        reset = getattr(self.kernel, "reset_parameters", None)
        if reset is not None:
            reset()
        self._reset_bias()

    def _reset_bias(self) -> None:
        if self.bias is not None:
            fan_in = self.in_channels // self.groups * math.prod(self.kernel_size)
            bound = 1 / math.sqrt(fan_in)
            nn.init.uniform_(self.bias, -bound, bound)

    @no_type_check
    def forward(
        self,
        input: Float[Tensor, "..."],
        *,
        scale: Scale | None = None,
        size: Size | None = None,
        points: Float[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "..."]:
        """Apply the layer, at its own scale and size or at what is given.

        What a call gives replaces both: with a scale alone, the layer's own size does
        not count.

        Args:
            input: ``[n, c, *in]``, or ``[c, *in]`` without a batch.
            scale: Output over input pixels, for all axes or for each.
            size: Output pixels, for all axes or for each; without a scale it sets the
                scale, too.
            points: Positions to sample, ``[*out, axes]`` or ``[n, *out, axes]``, in
                input pixels.

        Returns:
            ``[n, o, *out]`` or ``[o, *out]``.

        Raises:
            TypeError, ValueError: As `contconv.continuous_conv` does.
        """
        if isinstance(input, fx.Proxy):
            leaf: Any = as_leaf(self, input, scale=scale, size=size, points=points)
            return leaf
        call = self._call(input, scale, size, points)
        if scale is None and size is None and points is None:
            self._warn_if_few(call.grid)
        return run_call(call)

    def _call(self, input: Any, scale: Any, size: Any, points: Any) -> Call:
        """The call with these arguments; at the layer's own scale and size if None."""
        positions = stretch = None
        if scale is None and size is None and points is None:
            scale, size = self._ratios, self._size
            if scale is None and self.learnable_scale is not None:
                in_shape = input.shape[-self.ndim :]
                given = (self.learnable_scale, in_shape, size, self.placements)
                positions, size = axis_positions(*given), None
                points = points_of(positions)
                if self.antialias:
                    stretch = self.learnable_scale.stretch(in_shape)
        return as_call(
            input,
            self.kernel,
            scale=scale,
            size=size,
            points=points,
            bias=self.bias,
            groups=self.groups,
            padding=None if points is not None else self.placements,
            padding_mode=self.padding_mode,
            antialias=self.antialias and stretch is None,
            engine=self.engine,
            stretch=stretch,
            positions=positions,
        )

    def _warn_if_few(self, grid: Grid) -> None:
        """Warn, once for each scale that is set, if it shows the kernel too little."""
        if has_symbolic_sizes() or not self.training:
            return
        if self._ratios in (None, self._warned_at) or not torch.is_grad_enabled():
            return
        self._warned_at = self._ratios
        if self.kernel.head.requires_grad:
            # Past two calls of nn.Module, to who called the layer.
            warn_if_few(self.kernel, grid, stacklevel=5)

    @no_type_check
    def explain(
        self,
        input: Float[Tensor, "..."],
        *,
        scale: Scale | None = None,
        size: Size | None = None,
        points: Float[Tensor, "..."] | None = None,
    ) -> Explanation:
        """What each engine would take for a call with these arguments; runs none.

        `contconv.explain` says more. The choice is that of ``engine="auto"``, also in a
        layer that names its engine.
        """
        return explain_call(self._dry_call(input, scale, size, points))

    def _dry_call(
        self, input: Any, scale: Any = None, size: Any = None, points: Any = None
    ) -> Call:
        """The call with these arguments, with stand-ins for the tensors."""
        at = stand_in(points, self.kernel, torch.float32)
        return self._call(stand_in(input, self.kernel), scale, size, at)

    def __prepare_scriptable__(self) -> Any:
        """Raise where torch.jit.script asks for a part that it can compile."""
        raise NotImplementedError(
            f"torch.jit.script cannot compile a {type(self).__name__}; take "
            "torch.jit.trace, torch.compile or torch.export"
        )

    def extra_repr(self) -> str:
        """What differs from the defaults, as `repr` shows it."""
        channels = f"{self.in_channels}, {self.out_channels}"
        parts = [channels, f"kernel_size={self.kernel_size}"]
        if self._ratios is not None:
            parts.append(f"scale=({', '.join(map(str, self.scale or ()))})")
        if self.size is not None:
            parts.append(f"size={self.size}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if where := as_argument(self.placements):
            parts.append(where)
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode!r}")
        if self.antialias:
            parts.append("antialias=True")
        if self.engine != "auto":
            parts.append(f"engine={self.engine!r}")
        return ", ".join(parts)


def as_leaf(module: nn.Module, *inputs: Any, **options: Any) -> fx.Proxy:
    """A step of the graph that torch.fx makes of a network: the module, as it is."""
    (first, *_) = (one for one in inputs if isinstance(one, fx.Proxy))
    path = first.tracer.path_of_module(module)  # type: ignore
    if not path:
        raise TypeError(
            f"torch.fx cannot trace a {type(module).__name__} by itself, only a "
            "network that has it; put it in one, as in nn.Sequential(layer)"
        )
    given = {key: one for key, one in options.items() if one is not None}
    return first.tracer.create_proxy("call_module", path, inputs, given)
