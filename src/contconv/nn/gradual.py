"""Gradual: one large scale, in several layers of its root."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, fx, nn

from contconv._grid.grid import resized_axes
from contconv._grid.placement import Padding, as_placements
from contconv._grid.ratio import Scale, Size, as_ratios
from contconv._runtime.arguments import as_sizes
from contconv._runtime.autograd import untraced
from contconv._runtime.shapes import Float, no_type_check
from contconv.nn.conv import LAYERS
from contconv.nn.layer import ContinuousConv, as_leaf
from contconv.nn.schedules import equal


class Gradual(nn.Sequential):
    """Continuous layers that share a scale: each has its root.

    Where one layer halves the size, three of the cube root of 1/2 look at it at two
    sizes in between. The scales are exact, and so is their product; the last layer
    lands on the size that a single one would give.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, and in between.
        kernel_size: Width of each kernel in input pixels, for all axes or for each.
        layers: How many layers there are.
        scale: Output over input pixels of all together, for all axes or for each.
        size: Output pixels, as in `ContinuousConv2d`.
        activation: Makes what stands between two layers; None for nothing.
        axes: How many axes the images have.
        padding: Of a single layer with this scale: only the size is that of its grid.
        options: More arguments of `ContinuousConv2d`, for each layer. Splines are what
            learns best in layers that shrink by fractions.

    Raises:
        TypeError, ValueError: If ``layers`` is not a positive whole number, or as
            `ContinuousConv2d` does.

    Example:
        >>> layer = Gradual(16, 32, 3, scale=1 / 2, layers=3)
        >>> layer(torch.rand(1, 16, 25, 24)).shape
        torch.Size([1, 32, 13, 12])
    """

    @no_type_check
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        *,
        layers: int,
        scale: Scale,
        size: Size | None = None,
        activation: Callable[[], nn.Module] | None = nn.ReLU,
        axes: int = 2,
        padding: Padding | None = None,
        **options: Any,
    ) -> None:
        _check_axes(axes)
        modules: list[nn.Module] = []
        for own in equal(layers, scale, axes=axes):
            if modules and activation is not None:
                modules.append(activation())
            channels = (out_channels if modules else in_channels, out_channels)
            modules.append(LAYERS[axes](*channels, kernel_size, scale=own, **options))
        super().__init__(*modules)
        self.ratios, self.ndim = as_ratios(scale, axes), axes
        self.size = None if size is None else as_sizes(size, axes)
        self.kernel_size = as_sizes(kernel_size, axes, "kernel_size")
        self.placements = as_placements(padding, self.kernel_size)

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Apply all layers, from ``[n, c, *in]`` to ``[n, o, *out]``."""
        if isinstance(input, fx.Proxy):
            leaf: Any = as_leaf(self, input)
            return leaf
        size = self.size
        if size is None:
            with untraced():
                sizes, own = input.shape[-self.ndim :], (self.kernel_size, self.ratios)
                axes = resized_axes(sizes, *own, None, placements=self.placements)
                size = tuple(axis.out_size for axis in axes)
        *first, last = self
        for module in first:
            input = module(input)
        assert isinstance(last, ContinuousConv)
        return last(input, scale=last._ratios, size=size)


def _check_axes(axes: Any) -> None:
    if axes not in LAYERS:
        raise ValueError(f"axes must be 1, 2 or 3, got {axes!r}")
