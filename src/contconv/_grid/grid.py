"""Grid: the neighbors of all output pixels, from resized axes or from points."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from contconv._grid.axis import Axis
from contconv._grid.placement import Placement, Placements
from contconv._grid.ratio import Ratio, Scale, Size, as_ratios
from contconv._grid.taps import Taps, axis_taps, point_taps
from contconv._runtime.arguments import as_sizes
from contconv._runtime.shapes import Float, Int, no_type_check


class Neighbors(NamedTuple):
    """The input pixels under the kernel, for every output pixel.

    ``b`` is 1 where all images of a batch share the grid; ``p`` runs over the output
    pixels in row-major order, ``k`` over the taps.
    """

    source: Int[Tensor, "b p k"]  # into the flattened image
    distances: Float[Tensor, "b p k ndim"]  # g_n - m, in pixels: the kernel's argument
    weights: Float[Tensor, "b p k"]  # 1; 1/2 on the edge of the support; 0 outside


@dataclass(frozen=True)
class AxisGrid:
    """The projected grid of a resized image, each axis with a scale of its own."""

    axes: tuple[Axis, ...]
    padding_mode: str

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Pixels of the input, per axis."""
        return tuple(axis.in_size for axis in self.axes)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Pixels of the output, per axis."""
        return tuple(axis.out_size for axis in self.axes)

    @property
    def batch(self) -> int:
        """How many different grids there are: one for all images."""
        return 1

    @property
    def axis_sizes(self) -> tuple[tuple[int, int, int], ...]:
        """Pixels in and out, and the most taps, of each axis."""
        return tuple((axis.in_size, axis.out_size, axis.taps) for axis in self.axes)

    @property
    def taps(self) -> int:
        """The most input pixels under the kernel, for any output pixel."""
        return prod([axis.taps for axis in self.axes])

    def neighbors(
        self,
        dtype: torch.dtype,
        device: torch.device | None,
        rows: slice = slice(None),
    ) -> Neighbors:
        """The neighbors of the output pixels of some rows, along the first axis."""
        ndim = len(self.axes)
        per_axis = []
        for i, axis in enumerate(self.axes):
            shape = [1] * (2 * ndim)
            shape[i], shape[ndim + i] = -1, axis.taps
            taps = axis_taps(axis, self.padding_mode, dtype, device)
            kept = (values[rows] if i == 0 else values for values in taps)
            per_axis.append(Taps(*(values.view(shape) for values in kept)))
        return _outer(per_axis, self.in_shape, (1, -1, self.taps))


@dataclass(frozen=True)
class PointGrid:
    """A grid of any float positions, in input pixels, the last axis being (y, x)."""

    points: Float[Tensor, "b *out_shape ndim"]
    in_shape: tuple[int, ...]
    support: tuple[int, ...]
    padding_mode: str
    # How many times as wide the kernel is, per axis: antialias of a scale that learns.
    stretch: Float[Tensor, " ndim"] | None = None
    # Where the points are the product of positions along each axis: these.
    positions: tuple[Float[Tensor, " _"], ...] | None = None

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Pixels of the output, per axis."""
        return tuple(self.points.shape[1:-1])

    @property
    def batch(self) -> int:
        """How many different grids there are: one for all images, or one for each."""
        return self.points.shape[0]

    @property
    def axis_sizes(self) -> tuple[tuple[int, int, int], ...]:
        """Pixels in and out, and the most taps, of each axis."""
        return tuple(zip(self.in_shape, self.out_shape, self._counts(), strict=True))

    @property
    def taps(self) -> int:
        """The most input pixels under the kernel, for any output pixel."""
        return prod(self._counts())

    def neighbors(
        self,
        dtype: torch.dtype,
        device: torch.device | None,
        rows: slice = slice(None),
    ) -> Neighbors:
        """The neighbors of the output pixels of some rows, along the first axis."""
        ndim = len(self.in_shape)
        points = self.points[:, rows].flatten(1, -2)
        per_axis = []
        for i, count in enumerate(self._counts()):
            shape = [*points.shape[:2], *[1] * ndim]
            shape[2 + i] = count
            source, distance, weight = self.axis_taps(points[..., i], i)
            taps = (source, distance.to(dtype), weight.to(dtype))
            per_axis.append(Taps(*(values.view(shape) for values in taps)))
        return _outer(per_axis, self.in_shape, (*points.shape[:2], self.taps))

    def axis_taps(self, position: Float[Tensor, "*out"], i: int) -> Taps:
        """The taps around positions on axis ``i``."""
        stretch = None if self.stretch is None else self.stretch[i]
        size, width = self.in_shape[i], self.support[i]
        return point_taps(position, size, width, self.padding_mode, stretch)

    def _counts(self) -> list[int]:
        """The most taps of each axis."""
        if self.stretch is None:
            return [width + 1 for width in self.support]
        pairs = zip(self.support, self.stretch.detach(), strict=True)
        return [math.ceil(float(width * times)) + 1 for width, times in pairs]


def points_of(
    positions: Sequence[Float[Tensor, " _"]],
) -> Float[Tensor, "*out ndim"]:
    """The points that are the product of positions along each axis."""
    return torch.stack(torch.meshgrid(*positions, indexing="ij"), -1)


Grid: TypeAlias = AxisGrid | PointGrid


def _outer(
    per_axis: list[Taps], in_shape: tuple[int, ...], shape: tuple[int, ...]
) -> Neighbors:
    """Every combination of the taps of each axis; they broadcast against each other."""
    source, weight = per_axis[0].source, per_axis[0].weight
    for taps, in_size in zip(per_axis[1:], in_shape[1:], strict=True):
        source = source * in_size + taps.source
        weight = weight * taps.weight
    distances = torch.broadcast_tensors(*(taps.distance for taps in per_axis))
    return Neighbors(
        source.reshape(shape),
        torch.stack([distance.reshape(shape) for distance in distances], -1),
        weight.reshape(shape),
    )


_CENTRED = Placement()

# Pixels under a kernel, far more than the image may have.
_MOST_COVERED = 2**16


def _check_covered(axis: Axis) -> None:
    """Raise where a kernel covers so much that no memory could hold it."""
    if torch.compiler.is_compiling():
        return
    taps = 2 * axis.reach // axis.unit
    if taps > _MOST_COVERED and taps > 8 * axis.in_size:
        if not axis.stretched:
            raise ValueError(
                f"the kernel covers {taps} pixels of an axis that has {axis.in_size}; "
                "take a smaller one"
            )
        raise ValueError(
            f"antialias at a scale of {axis.up}/{axis.down} stretches the kernel over "
            f"{taps} pixels of an axis that has {axis.in_size}; ask for a larger "
            "scale, or leave out antialias"
        )


# More pixels than an axis has whose graph is exported.
_MAX_TRACED_SIZE = 2**31


def _as_read(size: int) -> int:
    """The size; in a graph that is exported, as read from a tensor.

    Export takes a size that it computes for larger than 1, with a guard that refuses
    small images, and for no multiple of others; of a number in a tensor it does not.
    """
    if not torch.compiler.is_exporting():
        return size
    read = torch.scalar_tensor(size, dtype=torch.int64).item()
    torch._check(read >= 1)
    torch._check(read <= _MAX_TRACED_SIZE)
    return read  # type: ignore  # a SymInt


@no_type_check
def resized_axes(
    in_sizes: Sequence[int],
    support: Sequence[int],
    scale: Scale | Sequence[Ratio] | None,
    size: Size | None,
    antialias: bool = False,
    placements: Placements | None = None,
) -> tuple[Axis, ...]:
    """The axes of a resized image, from a scale or a size as users give them.

    A scale alone gives ``ceil(scale * in_size)`` pixels, a size alone the scale
    ``out_size / in_size``; with both, the grid keeps the scale and is centred; with
    neither, the scale is 1. Placements change the size that a scale alone gives, and
    where the grid begins.

    Raises:
        TypeError, ValueError: If the scale or the size is none.
    """
    if scale is None and size is None:
        scale = 1
    ratios = None if scale is None else as_ratios(scale, len(support))
    sizes = None if size is None else as_sizes(size, len(support))
    axes = []
    for i, (in_size, width) in enumerate(zip(in_sizes, support, strict=True)):
        if ratios is not None:
            up, down = ratios[i]
        else:
            assert sizes is not None
            up, down = sizes[i], in_size
            if not torch.compiler.is_compiling():  # symbols have no common divisor
                common = math.gcd(up, down)
                up, down = up // common, down // common
        where = _CENTRED if placements is None else placements[i]
        if sizes is None:
            out_size = where.size(in_size, up, down)
            if not isinstance(out_size, int):
                out_size = _as_read(out_size)
        else:
            out_size = sizes[i]
        start = where.start(up, down)
        axis = Axis(in_size, out_size, up, down, width, antialias, start)
        _check_covered(axis)
        axes.append(axis)
    return tuple(axes)
