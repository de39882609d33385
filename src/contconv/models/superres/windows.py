"""Windows of an enlarged picture, computed from windows of the picture."""

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from contconv._grid.grid import AxisGrid, resized_axes
from contconv._grid.ratio import Ratio
from contconv._runtime.autocast import no_autocast
from contconv._runtime.shapes import Float
from contconv.engines import Problem
from contconv.engines.native.windows import LibraryWindows
from contconv.engines.separable.windows import WindowedConvolution
from contconv.kernels import ContinuousKernel
from contconv.kernels.names import classical_kernel
from contconv.models.superres.encoder import ResidualEncoder
from contconv.models.superres.scale_aware import ScaleAwareKernel
from contconv.models.superres.upsampler import windowed

# How far a pixel of the refinement looks.
_REFINE_REACH = 1

Windows = LibraryWindows | WindowedConvolution
Window = tuple[slice, ...]  # for each axis, from where to where


@runtime_checkable
class Enlarger(Protocol):
    """The three parts of a network that enlarges."""

    @property
    def encoder(self) -> ResidualEncoder: ...

    @property
    def kernel(self) -> ScaleAwareKernel: ...

    @property
    def refine(self) -> nn.Module: ...


class Enlargement:
    """One picture enlarged by a network, part by part.

    On a CPU, every part is bit for bit what it is in the whole: the library and
    convolutions add the same numbers in the same order there, whatever the size.
    Without the library, to rounding.

    Args:
        net: The network.
        image: ``[1, 3, h, w]``, with values in 0..1.
        ratios: The scale, per axis.
        size: Pixels of the output.
    """

    def __init__(
        self,
        net: Enlarger,
        image: Float[Tensor, "1 3 h w"],
        ratios: tuple[Ratio, ...],
        size: tuple[int, ...],
    ) -> None:
        self.net, self.image, self.size = net, image, size
        with no_autocast(image.device.type):
            kernel, bias = net.kernel.at(ratios)
        self.bias = bias[:, None, None]
        shape = (net.encoder.channels, *image.shape[2:])
        landing = _problem(image, shape, kernel, "zeros", ratios, size)
        self.landing = windowed(landing)
        cubic, shape = classical_kernel("cubic", 2), (1, *image.shape[2:])
        enlarged = _problem(image, shape, cubic, "replicate", ratios, size)
        self.cubic = windowed(enlarged)

    def inputs(self, outputs: Window) -> Window:
        """The window of the features that a window of the output is made from."""
        parts = self.landing.parts(self._reached(outputs))
        return tuple(part.inputs for part in parts)

    def features(self, inputs: Window) -> Float[Tensor, "1 f h w"]:
        """The features of a part of the picture."""
        around = _widened(inputs, self.net.encoder.reach, self.image.shape[2:])
        features = self.net.encoder(cut(self.image, around)).to(self.image.dtype)
        return cut(features, inputs, around)

    def part(
        self, features: Float[Tensor, "1 f h w"], inputs: Window, outputs: Window
    ) -> Float[Tensor, "1 3 r c"]:
        """A part of the output, from features that hold all that it takes."""
        reached = self._reached(outputs)
        parts: Any = self.landing.parts(reached)
        near = cut(features, tuple(part.inputs for part in parts), inputs)
        landed = self.landing.apply(near, parts)
        landed = cut(landed, reached, tuple(part.outputs for part in parts))
        with no_autocast(self.image.device.type):
            refined = self.net.refine(landed.add_(self.bias))
        cubic = resized(self.cubic, self.image, outputs)
        return cubic.add_(cut(refined, outputs, reached))

    def _reached(self, outputs: Window) -> Window:
        return _widened(outputs, _REFINE_REACH, self.size)


def resized(cubic: Windows, image: Tensor, outputs: Window) -> Float[Tensor, "1 3 r c"]:
    """A part of a picture that is resized channel by channel."""
    parts: Any = cubic.parts(outputs)
    near = cut(image, tuple(part.inputs for part in parts))
    out = torch.cat([cubic.apply(one, parts) for one in near.split(1, 1)], 1)
    return cut(out, outputs, tuple(part.outputs for part in parts))


def cut(image: Tensor, window: Window, around: Window | None = None) -> Tensor:
    """A window of an image, given whole or as its window ``around``; channels last."""
    if around is not None:
        window = tuple(
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(window, around, strict=True)
        )
    part = image[(..., *window)]
    return part.contiguous(memory_format=torch.channels_last)


def _widened(window: Window, by: int, shape: tuple[int, ...]) -> Window:
    """A window and what is near it in the image."""
    return tuple(
        slice(max(0, part.start - by), min(size, part.stop + by))
        for part, size in zip(window, shape, strict=True)
    )


def _problem(
    image: Tensor,
    shape: tuple[int, ...],
    kernel: ContinuousKernel,
    padding_mode: str,
    ratios: tuple[Ratio, ...],
    size: tuple[int, ...],
) -> Problem:
    """The convolution of an image of this shape; its values are not needed."""
    axes = resized_axes(shape[1:], kernel.kernel_size, ratios, size)
    none = image.new_empty(1).expand(1, *shape)
    return Problem(none, kernel, AxisGrid(axes, padding_mode), 1)
