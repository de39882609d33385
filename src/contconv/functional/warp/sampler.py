"""The weights of the pixels around places, and the samples that they give."""

import math

import torch
from torch import Tensor

from contconv._grid.padding import is_source, source_index
from contconv._runtime.autograd import has_values
from contconv._runtime.shapes import Float, Int
from contconv.functional.warp.footprint import Footprints
from contconv.kernels import ContinuousKernel, SeparableKernel
from contconv.kernels.base import is_separable


class Sampler:
    """Samples an image with a kernel.

    What has no weight adds nothing, also where it is infinite or NaN, unless it is said
    that all pixels are finite. A kernel that all channels share has weights that sum to
    one. Others weigh as they do in `continuous_conv`, divided by the area to which they
    are stretched.
    """

    def __init__(
        self,
        kernel: ContinuousKernel,
        in_shape: tuple[int, int],
        padding_mode: str,
        dtype: torch.dtype,
        points_dtype: torch.dtype,
    ) -> None:
        self.finite = False  # until it is known
        self.kernel, self.in_shape, self.padding_mode = kernel, in_shape, padding_mode
        self.dtype = dtype  # of the distances and all that follows
        half = max(kernel.kernel_size) / 2
        # A pixel so near to the edge of the support lies on it, for all that rounded
        # positions say.
        self.slack = 4 * max(
            max(in_shape) * torch.finfo(points_dtype).eps, half * torch.finfo(dtype).eps
        )
        self.has_ties = not _vanishes_at_edge(kernel)
        y, x = (width + self.has_ties for width in kernel.kernel_size)
        self.counts = y, x

    def width(self, channels: int) -> int:
        """Numbers that a neighbor takes."""
        return max(channels, self.kernel.head.shape[2])

    def channels(self, channels: int) -> int:
        """Channels of the output."""
        return channels if self.kernel.is_shared else self.kernel.head.shape[0]

    def reaches(
        self, points: Float[Tensor, "p 2"], reach: Float[Tensor, "p 2"]
    ) -> Tensor:
        """Whether any pixel that counts is under a kernel of that reach."""
        if self.padding_mode != "zeros":
            return torch.ones_like(points[:, 0], dtype=torch.bool)
        last = points.new_tensor(self.in_shape) - 1
        return ((points >= -reach) & (points <= last + reach)).all(-1)

    def __call__(
        self,
        image: Float[Tensor, "m pixels"],
        points: Float[Tensor, "p 2"],
        stretched: Footprints | None,
        counts: tuple[int, int],
    ) -> Float[Tensor, "o p"]:
        """The samples at some points, from so many pixels along each axis."""
        lines = [self._line(points, stretched, counts, axis) for axis in (0, 1)]
        (source_y, inside_y, dy), (source_x, inside_x, dx) = lines
        source = ((source_y * self.in_shape[1])[:, None] + source_x).flatten(0, 1)
        if self.kernel.is_shared:
            weights = self._shared(dy, dx, inside_y, inside_x, stretched)
            return self._summed(image, source, weights.flatten(0, 1))
        basis = self._basis(dy, dx, stretched)
        if inside_y is not None and inside_x is not None:
            basis = basis * (inside_y[:, None] & inside_x)[..., None]
        return self._mixed(image, source, basis)

    def _line(
        self,
        points: Tensor,
        stretched: Footprints | None,
        counts: tuple[int, int],
        axis: int,
    ) -> tuple[Int[Tensor, "k p"], Tensor | None, Float[Tensor, "k p"]]:
        """The pixels along an axis, whether they count, and their distances."""
        position, size = points[:, axis], self.in_shape[axis]
        # Half as much to move, where it suffices.
        kind = torch.int32 if math.prod(self.in_shape) < 2**31 else torch.int64
        tap = torch.arange(counts[axis], dtype=kind, device=points.device)[:, None]
        with torch.no_grad():
            if stretched is not None:
                first = (position - stretched.reach[:, axis]).ceil()
            elif self.has_ties:
                half = self.kernel.kernel_size[axis] / 2
                first = (position - (half + self.slack)).ceil()
            else:
                first = (position - self.kernel.kernel_size[axis] / 2).floor() + 1
            pixel = first.to(kind) + tap
        inside = is_source(pixel, size, self.padding_mode)
        distance = ((position - first) - tap).to(self.dtype)
        return source_index(pixel, size, self.padding_mode), inside, distance

    def _shared(
        self,
        dy: Tensor,
        dx: Tensor,
        inside_y: Tensor | None,
        inside_x: Tensor | None,
        stretched: Footprints | None,
    ) -> Float[Tensor, "ky kx p"]:
        """Weights that sum to one, but for what does not count."""
        kernel = self.kernel
        one = kernel.head.shape[2] == 1  # otherwise a sum of products
        if is_separable(kernel) and one and stretched is None:
            wy = self._along(kernel, dy, inside_y, 0)
            return wy[:, None] * self._along(kernel, dx, inside_x, 1)
        weights = self._basis(dy, dx, stretched) @ kernel.head[0, 0].to(dy)
        weights = weights / weights.sum((0, 1))
        if inside_y is not None and inside_x is not None:
            weights = weights * (inside_y[:, None] & inside_x)
        return weights

    def _along(
        self,
        kernel: SeparableKernel,
        distance: Tensor,
        inside: Tensor | None,
        axis: int,
    ) -> Float[Tensor, "k p"]:
        """The factor of one axis."""
        weights = kernel.axis_basis(distance, axis)[..., 0]
        if self.has_ties:
            weights = weights * self._ties(distance, axis)
        weights = weights / weights.sum(0)
        return weights if inside is None else weights * inside

    def _basis(
        self, dy: Tensor, dx: Tensor, stretched: Footprints | None
    ) -> Float[Tensor, "ky kx p r"]:
        """The basis functions at the distances in the kernel's own pixels."""
        y, x, density = dy[:, None], dx, 1.0
        if stretched is not None:
            inverse, density = (values.to(y) for values in stretched[:2])
            y, x = (inverse[:, i, 0] * y + inverse[:, i, 1] * x for i in range(2))
            density = density[:, None]
        y, x = torch.broadcast_tensors(y, x)
        ties = self._ties(y, 0) * self._ties(x, 1)
        return self.kernel.basis(torch.stack([y, x], -1)) * ties[..., None] * density

    def _ties(self, distance: Tensor, axis: int) -> Tensor:
        """1 in the support, 1/2 on its edge, 0 outside."""
        half = self.kernel.kernel_size[axis] / 2
        edge = half - distance.detach().abs()
        edge = torch.where(edge.abs() <= self.slack, 0.0, edge)
        return (edge.sign() + 1) / 2

    def _summed(
        self, image: Tensor, source: Tensor, weights: Float[Tensor, "k p"]
    ) -> Float[Tensor, "m p"]:
        """The weighted sum over the pixels."""
        # A channel at a time: rows of neighbors beside each other took twice as long.
        index, shape = source.flatten(), source.shape
        near = (channel.index_select(0, index).view(shape) for channel in image)
        if not self.finite:
            near = (_where_it_counts(values, weights != 0) for values in near)
        return torch.stack([(values * weights).sum(0) for values in near])

    def _mixed(
        self, image: Tensor, source: Tensor, basis: Float[Tensor, "ky kx p r"]
    ) -> Float[Tensor, "o p"]:
        """The sum over the pixels first, then the product with the head."""
        pixels = image.T.to(basis)
        near = pixels.index_select(0, source.flatten()).unflatten(0, source.shape)
        if not self.finite:
            counts = basis.flatten(0, 1).any(-1, keepdim=True)
            near = _where_it_counts(near, counts)
        moments = torch.einsum("kpr,kpc->prc", basis.flatten(0, 1), near)
        return torch.einsum("prc,ocr->op", moments, self.kernel.head.to(basis))


def _where_it_counts(near: Tensor, counts: Tensor) -> Tensor:
    """Finite pixels, and the others where they count: a NaN times 0 is NaN."""
    return torch.where(counts | near.isfinite(), near, 0.0)


def _vanishes_at_edge(kernel: ContinuousKernel) -> bool:
    """Whether pixels on the edge of the support count nothing, whatever their share."""
    if not is_separable(kernel) or kernel.dtype is not None:
        return False
    if not has_values(kernel.head):
        return False
    edges = kernel.head.new_tensor([-0.5, 0.5])
    return not any(
        kernel.axis_basis(edges * width, axis).any()
        for axis, width in enumerate(kernel.kernel_size)
    )
