"""plot_kernel: a continuous kernel over its support."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from contconv._runtime.arguments import as_whole
from contconv._runtime.shapes import no_type_check
from contconv.kernels import ContinuousKernel
from contconv.plots.drawing import as_figure, centres, draw_curves, draw_maps

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

# Unless channels are given: so many outputs and inputs at most.
_MOST_CHANNELS = 4


@no_type_check
def plot_kernel(
    kernel: ContinuousKernel | nn.Module,
    *,
    channels: Sequence[tuple[int, int]] | None = None,
    samples: int = 200,
    limit: float | None = None,
    figure: "Figure | SubFigure | None" = None,
) -> "Figure":
    """Draw a kernel over its support, with the pixel grid over it.

    The axes are the distance :math:`g_n - m` of Eq. 1, output minus input pixel, in
    input pixels. The lines are the edges of the pixels of a centred window, and the
    dots their centres: the weights there are those of the ordinary convolution that the
    kernel is at a scale of 1 (odd width) or 1/2 (even width).

    Kernels of two axes are drawn as heat maps, a panel for each pair of channels; of
    three axes as the plane at a depth of 0; of one axis as curves.

    Args:
        kernel: A kernel, or a layer that has one.
        channels: Which weights to draw, as pairs of an output channel and an input
            channel (within its group); those of the first 4 unless given.
        samples: Points per axis, spread evenly over the support.
        limit: The weight with the strongest colour, or the height of the curves; the
            largest magnitude among those drawn unless given.
        figure: Where to draw: a figure or subfigure; a new figure unless given.

    Returns:
        The figure that was drawn in. A new one is not known to pyplot; notebooks show
        it, and ``savefig`` writes it.

    Raises:
        ImportError: If matplotlib is missing.
        TypeError: If ``kernel`` neither is nor has a kernel, or another argument is of
            a wrong type.
        ValueError: If there are no such channels, or a number is out of range.

    Example:
        >>> layer = ContinuousConv2d(3, 8, 5)
        >>> figure = plot_kernel(layer, channels=[(0, 0), (7, 2)])
        >>> figure.savefig("kernels.png")  # doctest: +SKIP
    """
    kernel = _as_kernel(kernel)
    pairs, columns = _as_pairs(channels, *kernel.head.shape[:2])
    as_whole(samples, "samples")
    if limit is not None and not 0 < limit < math.inf:
        raise ValueError(f"limit must be positive and finite, got {limit}")
    places = _places(kernel, samples)
    values = _values(kernel, pairs, places)
    if limit is None:
        limit = values.abs().max().item() or 1.0
    titles = _titles(kernel, pairs)
    if kernel.ndim == 1:
        drawing = as_figure(figure, 6, 4)
        width = kernel.kernel_size[0]
        dots = _values(kernel, pairs, [centres(width)])
        draw_curves(drawing, width, titles, places[0], values, dots, limit)
        return drawing.figure
    rows, (height, width) = -(-len(pairs) // columns), kernel.kernel_size[-2:]
    drawing = as_figure(
        figure, 1.6 + 1.8 * columns, 0.6 + rows * (0.5 + 1.5 * height / width)
    )
    draw_maps(drawing, (rows, columns), (height, width), titles, values, limit)
    return drawing.figure


def _as_kernel(given: Any) -> ContinuousKernel:
    kernel = given if isinstance(given, ContinuousKernel) else None
    if isinstance(given, nn.Module) and kernel is None:
        kernel = getattr(given, "kernel", None)
    if not isinstance(kernel, ContinuousKernel):
        raise TypeError(
            "kernel must be a ContinuousKernel or a layer that has one, "
            f"got {type(given).__name__}"
        )
    return kernel


def _as_pairs(
    channels: Any, outputs: int, inputs: int
) -> tuple[list[tuple[int, int]], int]:
    """The pairs to draw, and how many of them in a row."""
    if channels is None:
        rows, columns = min(outputs, _MOST_CHANNELS), min(inputs, _MOST_CHANNELS)
        return [(o, c) for o in range(rows) for c in range(columns)], columns
    try:
        pairs = [(int(output), int(channel)) for output, channel in channels]
    except (TypeError, ValueError):
        raise TypeError(
            "channels must be pairs of an output and an input, such as [(0, 0), "
            f"(7, 2)], got {channels!r}"
        ) from None
    for output, channel in pairs:
        if output not in range(outputs) or channel not in range(inputs):
            raise ValueError(
                f"channels must be pairs of an output (0 to {outputs - 1}) and an "
                f"input (0 to {inputs - 1}), got {(output, channel)}"
            )
    if not pairs:
        raise ValueError("channels must name at least one pair, got none")
    return pairs, math.ceil(math.sqrt(len(pairs)))


def _places(kernel: ContinuousKernel, samples: int) -> list[Tensor]:
    """Where each axis is sampled: the centres of so many equal parts of the support."""
    spread = (torch.arange(samples) + 0.5) / samples - 0.5
    places = [spread * width for width in kernel.kernel_size]
    return [torch.zeros(1), *places[1:]] if kernel.ndim == 3 else places


@torch.no_grad()
def _values(
    kernel: ContinuousKernel, pairs: list[tuple[int, int]], places: list[Tensor]
) -> Tensor:
    """The weights of these pairs only: those of all channels might fill the memory."""
    distances = torch.stack(torch.meshgrid(*places, indexing="ij"), -1)
    dtype = torch.promote_types(kernel.dtype or torch.float32, torch.float32)
    basis = kernel.basis(distances.to(kernel.head.device, dtype))
    outputs, inputs = zip(*pairs, strict=True)
    head = kernel.head[list(outputs), list(inputs)].to(dtype)
    values = torch.einsum("...r,pr->p...", basis, head).cpu()
    return values.squeeze(1) if kernel.ndim == 3 else values


def _titles(kernel: ContinuousKernel, pairs: list[tuple[int, int]]) -> list[str]:
    if kernel.is_shared:
        return [type(kernel).__name__]
    return [f"output {o}, input {c}" for o, c in pairs]
