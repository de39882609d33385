"""The network of `contconv upscale` as three ONNX graphs, which a browser runs.

``encoder``: a part of a picture to its features. ``head``: features to what cubic
resizing lacks, at any scale; which features an output pixel takes, and at which
distances, are inputs, from whole numbers (``grid.js``). ``kernel``: some filters at any
distances.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from contconv._grid.axis import Axis
from contconv._grid.taps import weigh
from contconv.kernels import SeparableKernel
from contconv.models.superres import SuperResolutionNet

# Input rows that share their products with the filters of the second axis.
BLOCK = 8

# Filters that the page shows.
PAIRS = 6


class Encoder(nn.Module):
    """Features with their channels last, ``[h, w, c]``."""

    def __init__(self, net: SuperResolutionNet) -> None:
        super().__init__()
        self.encoder = net.encoder

    def forward(self, image: Tensor) -> Tensor:
        return self.encoder(image)[0].permute(1, 2, 0)


class Head(nn.Module):
    """The continuous convolution and what follows, of a window of the features.

    Columns first: each output column has a filter of its own, with the channels in it.
    Then rows, in blocks of them, with one filter for all channels.
    """

    def __init__(self, net: SuperResolutionNet) -> None:
        super().__init__()
        self.kernel, self.refine = net.kernel, net.refine

    def forward(
        self,
        features: Tensor,
        x_source: Tensor,
        x_distance: Tensor,
        x_weight: Tensor,
        y_source: Tensor,
        y_distance: Tensor,
        y_weight: Tensor,
        y_rows: Tensor,
        pixel: Tensor,
    ) -> Tensor:
        """What cubic resizing lacks, ``[3, rows, columns]``.

        Args:
            features: ``[h, w, c]``.
            x_source: ``[columns, taps]``: columns of the features.
            x_distance: ``[columns, taps]``: their distances.
            x_weight: ``[columns, taps]``: 1, 1/2 on the edge of the support, or 0.
            y_source: ``[blocks, r]``: rows of the features.
            y_distance: ``[blocks, most, r]``: distances of each block's output rows.
            y_weight: ``[blocks, most, r]``.
            y_rows: ``[rows]``: which of ``blocks * most`` they are.
            pixel: ``[2]``: 1 / scale, of y and x.
        """
        basis = self.kernel.kernel
        assert isinstance(basis, SeparableKernel)
        functions, outputs, bias = factors_at(self.kernel, pixel)
        head = basis.head * functions * outputs[:, None, None]
        rank_y, rank_x = basis.axis_rank(0), basis.axis_rank(1)
        outs, channels, _ = head.shape
        columns, taps = x_distance.shape
        blocks, most, reached = y_distance.shape
        rows = features.shape[0]

        head = head.reshape(outs, channels, rank_y, rank_x).permute(3, 1, 2, 0)
        x = basis.axis_basis(x_distance, 1) * x_weight[..., None]
        filters = x.reshape(columns * taps, rank_x) @ head.reshape(rank_x, -1)
        filters = filters.reshape(columns, taps * channels, rank_y * outs)
        near = features.index_select(1, x_source.reshape(-1))
        near = near.reshape(rows, columns, taps * channels).permute(1, 0, 2)
        mixed = (near @ filters).permute(1, 2, 0)  # rows, rank_y * outs, columns

        y = basis.axis_basis(y_distance, 0) * y_weight[..., None]
        y = y.reshape(blocks, most, reached * rank_y)
        mixed = mixed.index_select(0, y_source.reshape(-1))
        out = y @ mixed.reshape(blocks, reached * rank_y, outs * columns)
        out = out.reshape(blocks * most, outs, columns).index_select(0, y_rows)
        return self.refine(out.permute(1, 0, 2)[None] + bias[:, None, None])[0]


class Filters(nn.Module):
    """Some filters of the continuous layer, the largest of different outputs."""

    def __init__(self, net: SuperResolutionNet) -> None:
        super().__init__()
        self.kernel = net.kernel
        size = net.kernel.kernel.head.norm(dim=2)
        self.outputs = size.amax(1).argsort(descending=True)[:PAIRS]
        self.inputs = size[self.outputs].argmax(1)
        self.head = net.kernel.kernel.head[self.outputs, self.inputs].clone()

    def forward(self, y: Tensor, x: Tensor, pixel: Tensor) -> Tensor:
        """The filters ``[pairs, n, m]`` at distances ``y [n]`` and ``x [m]``."""
        basis = self.kernel.kernel
        assert isinstance(basis, SeparableKernel)
        functions, outputs, _ = factors_at(self.kernel, pixel)
        head = self.head * functions * outputs[self.outputs, None]
        head = head.unflatten(1, (basis.axis_rank(0), basis.axis_rank(1)))
        return basis.axis_basis(y, 0) @ head @ basis.axis_basis(x, 1).T


def factors_at(kernel: Any, pixel: Tensor) -> tuple[Tensor, ...]:
    """Factors of the functions and of the outputs, and the bias, at ``pixel [2]``."""
    if not kernel.aware:
        pixel = torch.ones_like(pixel)
    functions, outputs, bias = kernel.factors(pixel).split(kernel._counts)
    return 1 + functions, 1 + outputs, bias


class Tables(NamedTuple):
    """The inputs of the head for a whole picture, and the part of it they count from.

    ``grid.js`` makes the same; `tests/browser` compares them.
    """

    x: tuple[Tensor, Tensor, Tensor]
    y: tuple[Tensor, Tensor, Tensor, Tensor]
    low: tuple[int, int]
    shape: tuple[int, int]


def tables(axes: tuple[Axis, Axis]) -> Tables:
    """What `Head` takes for these axes, of features with zeros around them."""
    (y_pixel, y_distance, y_weight), (x_pixel, x_distance, x_weight) = (
        _taps(axis) for axis in axes
    )
    low = (int(y_pixel.min()), int(x_pixel.min()))
    y = _blocks(y_pixel - low[0], y_distance, y_weight)
    shape = (int(y[0].max()) + 1, int(x_pixel.max()) - low[1] + 1)
    source = (x_pixel - low[1]).int()
    return Tables((source, x_distance, x_weight), y, low, shape)


def _taps(axis: Axis) -> tuple[Tensor, Tensor, Tensor]:
    n = torch.arange(axis.out_size)
    pixel = axis.first_neighbor(n)[:, None] + torch.arange(axis.taps)
    return pixel, *weigh(axis, n, pixel, torch.float32)


def _blocks(
    pixel: Tensor, distance: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Output rows by blocks of `BLOCK` first pixels, padded to as many in each."""
    taps = pixel.shape[1]
    block = pixel[:, 0] // BLOCK
    blocks, most = int(block.max()) + 1, int(block.bincount().max())
    reached = BLOCK + taps - 1
    source = torch.arange(blocks)[:, None] * BLOCK + torch.arange(reached)
    far, counts = torch.zeros(2, blocks, most, reached)
    place, rows = [0] * blocks, []
    for n, b in enumerate(block.tolist()):
        first = int(pixel[n, 0]) - b * BLOCK
        far[b, place[b], first : first + taps] = distance[n]
        counts[b, place[b], first : first + taps] = weight[n]
        rows.append(b * most + place[b])
        place[b] += 1
    return source.int(), far, counts, torch.tensor(rows).int()
