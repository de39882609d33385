"""ContinuousConv1d, 2d and 3d: the continuous convolution layers."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar

import torch
from torch import Tensor, nn

from contconv._checks import check_layer_kernel
from contconv._explain import Explanation, explain
from contconv._scale import Scale, Size, as_ratios, as_sizes
from contconv._types import Float, no_type_check
from contconv.engines import check_engine
from contconv.functional import continuous_conv
from contconv.kernels import ContinuousKernel
from contconv.kernels._head import check_channels
from contconv.kernels._names import learned_kernel
from contconv.padding import check_padding_mode


class ContinuousConv(nn.Module):
    """What the layers of one to three dimensions share: all but the dimension."""

    ndim: ClassVar[int]

    @no_type_check
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        *,
        scale: Scale | None = None,
        size: Size | None = None,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        kernel: str | ContinuousKernel = "cosine",
        antialias: bool = False,
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

        None is 1 for a layer without a size, and ``size / in`` for one that has it.
        """
        ratios = self._ratios
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
        if scale is None and size is None and points is None:
            scale, size = self._ratios, self._size  # type: ignore
        return continuous_conv(
            input,
            self.kernel,
            scale=scale,
            size=size,
            points=points,
            bias=self.bias,
            groups=self.groups,
            padding_mode=self.padding_mode,
            antialias=self.antialias,
            engine=self.engine,
        )

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
        if scale is None and size is None and points is None:
            scale, size = self._ratios, self._size  # type: ignore
        return explain(
            input,
            self.kernel,
            scale=scale,
            size=size,
            points=points,
            groups=self.groups,
            padding_mode=self.padding_mode,
            antialias=self.antialias,
        )

    def extra_repr(self) -> str:
        """What differs from the defaults, as `repr` shows it."""
        parts = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}",
        ]
        if self.scale is not None:
            parts.append(f"scale=({', '.join(str(ratio) for ratio in self.scale)})")
        if self.size is not None:
            parts.append(f"size={self.size}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode!r}")
        if self.antialias:
            parts.append("antialias=True")
        if self.engine != "auto":
            parts.append(f"engine={self.engine!r}")
        return ", ".join(parts)


class ContinuousConv1d(ContinuousConv):
    """A continuous convolution of ``[n, c, width]`` or ``[c, width]``.

    The arguments are those of `ContinuousConv2d`, with one axis.

    Example:
        >>> layer = ContinuousConv1d(3, 8, 5)
        >>> layer(torch.rand(2, 3, 100), size=144).shape
        torch.Size([2, 8, 144])
    """

    ndim = 1


class ContinuousConv2d(ContinuousConv):
    r"""A convolution whose filter is a learned function of sub-pixel distance.

    One trained layer resizes ``[n, c, height, width]`` or ``[c, height, width]`` to any
    size, chosen at each call, differently per axis. At a scale of 1 with an odd kernel
    size it is ``nn.Conv2d`` with ``padding="same"``; `contconv.continuous_conv` has the
    formula.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the kernel's support in input pixels, for all axes or for
            each.
        scale: Output over input pixels where a call gives neither scale, size nor
            points: for all axes or for each. 0.5 is a stride of 2. Ints and
            ``Fraction`` are exact; a float is taken to the nearest ratio with a
            denominator up to 10**6. 1 unless scale or size is given.
        size: Output pixels of such a call, for all axes or for each; without a scale
            it sets the scale, too. With both, the grid keeps the scale, has this size,
            and stays centred: so a network's last layer lands on a fixed shape.
        groups: Groups of channels that do not mix.
        bias: Whether to add a learned bias to each output channel.
        padding_mode: What lies outside the input: ``"zeros"``, ``"reflect"``,
            ``"replicate"``, ``"circular"`` or ``"symmetric"``.
        kernel: ``"cosine"``, ``"mlp"``, ``"spline"``, or a kernel of one's own; one
            with a single input and output channel serves all channels, with
            ``groups=in_channels``.
        antialias: Whether to stretch the kernel where an axis shrinks, as classical
            resizing does.
        engine: How to compute it: ``"auto"``, or by name: ``"periodic"``,
            ``"fused"``, ``"separable"``, ``"factored"`` or ``"reference"``.
        device: Where the parameters live.
        dtype: The dtype of the parameters.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If channels, groups, sizes or the kernel do not fit together, or a
            name is unknown; the message lists the known ones.

    Example:
        >>> layer = ContinuousConv2d(3, 8, 4, scale=0.6)
        >>> image = torch.rand(1, 3, 10, 10)
        >>> layer(image).shape
        torch.Size([1, 8, 6, 6])
        >>> layer(image, scale=(1.4, 0.3)).shape
        torch.Size([1, 8, 14, 3])
        >>> layer(image, size=(17, 5)).shape
        torch.Size([1, 8, 17, 5])
    """

    ndim = 2


class ContinuousConv3d(ContinuousConv):
    """A continuous convolution of ``[n, c, depth, height, width]``, or without ``n``.

    The arguments are those of `ContinuousConv2d`, with three axes.

    Example:
        >>> layer = ContinuousConv3d(1, 2, 3, scale=(1, 0.5, 0.5))
        >>> layer(torch.rand(1, 1, 4, 6, 6)).shape
        torch.Size([1, 2, 4, 3, 3])
    """

    ndim = 3
