"""Kernels that the study of kernels tries, and that the library does not have."""

import itertools
import math
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn

from contconv._runtime.shapes import Float
from contconv.kernels import (
    ContinuousKernel,
    CosineKernel,
    MLPKernel,
    SeparableKernel,
    SplineKernel,
    initialise_head,
)
from contconv.kernels import internal_net as start
from contconv.kernels.head import DEFAULT_GAIN, new_head, support_points
from contconv.kernels.orthonormal_cosines import cosines


class SineKernel(SeparableKernel):
    """Sines in place of cosines: as orthonormal, and zero at the edge of the support.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the support in input pixels, one for each axis.
        frequencies: How many sines per axis.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        *,
        frequencies: int = 3,
    ) -> None:
        super().__init__(kernel_size)
        self.frequencies = frequencies
        rank = frequencies**self.ndim
        self.head = new_head(in_channels, out_channels, 1, rank, None, None)
        initialise_head(self)

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """The sines along one axis, at a distance in input pixels."""
        width = self.kernel_size[axis]
        a = torch.arange(1, self.frequencies + 1).to(distance)
        u = distance[..., None] / width + 0.5
        return math.sqrt(2 / width) * torch.sin(math.pi * a * u)

    def axis_constants(self, axis: int) -> Hashable:
        """The width, and how many sines there are."""
        return self.kernel_size[axis], self.frequencies


class WindowedKernel(CosineKernel):
    """Cosines times the root of half a wave, zero at the edge; orthonormal as well."""

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """The windowed cosines along one axis, at a distance in input pixels."""
        return self._windowed(distance, axis) @ self._mix(axis).to(distance)

    def axis_constants(self, axis: int) -> Hashable:
        """The width, and how many cosines there are."""
        return self.kernel_size[axis], self.frequencies[axis]

    def _windowed(self, distance: Tensor, axis: int) -> Tensor:
        width = self.kernel_size[axis]
        # Outside the support the wave turns negative, and has no root.
        wave = torch.cos(math.pi * distance / width).clamp_min(0)
        return super().axis_basis(distance, axis) * wave.sqrt()[..., None]

    def _mix(self, axis: int) -> Tensor:
        """What makes them orthonormal and changes them least."""
        width = self.kernel_size[axis]
        values = self._windowed(support_points((width,))[:, 0], axis)
        powers, vectors = torch.linalg.eigh(values.T @ values * width / len(values))
        return vectors / powers.sqrt() @ vectors.T


class PixelKernel(CosineKernel):
    """The functions of `CosineKernel`, as their values at the pixels.

    The head holds the weights at the pixels of a scale of 1, as that of ``nn.Conv2d``
    does, and the basis what lies between them. For odd widths.
    """

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """For each pixel, the sum of cosines that is 1 there and 0 at the others."""
        width = self.kernel_size[axis]
        pixels = torch.arange(width).to(distance) - (width - 1) / 2
        return cosines(distance, width, width) @ cosines(pixels, width, width).T

    def axis_constants(self, axis: int) -> Hashable:
        """The width."""
        return self.kernel_size[axis]


class FrequencyConv2d(nn.Module):
    """``nn.Conv2d`` of stride 1, each cosine of its filters with a weight of its own.

    With as many frequencies as pixels it can learn what ``nn.Conv2d`` can.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the filters, odd.
        frequencies: How many cosines per axis.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, frequencies: int
    ) -> None:
        super().__init__()
        self.kernel_size, self.frequencies = kernel_size, frequencies
        shape = (out_channels, in_channels, frequencies, frequencies)
        deviation = DEFAULT_GAIN / math.sqrt(math.prod(shape[1:]))
        self.weight = nn.Parameter(deviation * torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n o h w"]:
        """The convolution with the filters that the cosines add up to."""
        pixels = torch.arange(self.kernel_size).to(input) - (self.kernel_size - 1) / 2
        values = cosines(pixels, self.kernel_size, self.frequencies)
        filters = values @ self.weight @ values.T
        return nn.functional.conv2d(input, filters, self.bias, padding="same")


class PlainMLPKernel(ContinuousKernel):
    """The Internal-Net as one writes it down: linear layers, and ReLU between them.

    Its last hidden layer, and a constant for the bias of the last layer, is the basis.
    Every layer starts as ``nn.Linear`` does.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the support in input pixels, one for each axis.
        widths: Widths of the hidden layers.
        calibrated: Whether the last layer starts as `initialise_head` draws it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        *,
        widths: Sequence[int] = (32, 8),
        calibrated: bool = False,
    ) -> None:
        super().__init__(kernel_size)
        sizes = itertools.pairwise((self.ndim, *widths))
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in sizes)
        rank = widths[-1] + 1
        self.head = new_head(in_channels, out_channels, 1, rank, None, None)
        bound = 1 / math.sqrt(widths[-1])
        nn.init.uniform_(self.head, -bound, bound)
        if calibrated:
            initialise_head(self)

    def basis(
        self, distances: Float[Tensor, "*batch ndim"]
    ) -> Float[Tensor, "*batch rank"]:
        """The last hidden layer at ``distances`` (in input pixels), and a constant."""
        half_widths = torch.tensor(self.kernel_size).to(distances) / 2
        features = distances / half_widths
        for layer in self.hidden:
            weight = layer.get_parameter("weight").to(features)
            bias = layer.get_parameter("bias").to(features)
            features = nn.functional.linear(features, weight, bias).relu()
        return nn.functional.pad(features, (0, 1), value=1.0)


class SineLayerKernel(MLPKernel):
    """`MLPKernel` with one hidden layer of sines: Sitzmann et al. (2020), SIREN.

    The narrow layer is fitted to the cosines, as in `MLPKernel`.
    """

    @torch.no_grad()
    def reset_parameters(self, gain: float = DEFAULT_GAIN) -> None:
        """Draw waves of all directions and phases, and fit the narrow layer."""
        first, narrow = self._linear_layers()
        places, shares = start.places(self.kernel_size, self.head.device)
        features = places / self._half_widths(places)
        waves, phases = self._waves(first.out_features, features)
        features = self._set(first, (waves, phases), features).sin()
        targets = start.lowest_cosines(places, self.kernel_size, narrow.out_features)
        self._set(narrow, start.fitted(features, targets, shares), features)
        initialise_head(self, gain)

    def _waves(self, count: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Wave vectors up to the highest cosine's, in units of half the support."""
        highest = torch.tensor(self.kernel_size).to(like) - 1
        waves = (torch.rand(count, self.ndim).to(like) * 2 - 1) * highest * math.pi / 2
        return waves, (torch.rand(count).to(like) * 2 - 1) * math.pi

    def basis(
        self, distances: Float[Tensor, "*batch ndim"]
    ) -> Float[Tensor, "*batch rank"]:
        """The narrow layer at ``distances`` (in input pixels), and a constant."""
        first, narrow = self._linear_layers()
        features = distances / self._half_widths(distances)
        features = self._linear(narrow, self._linear(first, features).sin())
        features = nn.functional.pad(features, (0, 1), value=1.0)
        return features / math.sqrt(math.prod(self.kernel_size))


class SplineMLPKernel(MLPKernel):
    """`MLPKernel` that starts as `SplineKernel`, in place of cosines.

    The head has a weight more for each pair of channels, of the constant; it starts at
    zero.
    """

    @torch.no_grad()
    def reset_parameters(self, gain: float = DEFAULT_GAIN) -> None:
        """Draw the hidden layer, fit the narrow one, and draw the control points."""
        first, narrow = self._linear_layers()
        places, shares = start.places(self.kernel_size, self.head.device)
        features = places / self._half_widths(places)
        features = self._set(
            first, start.creases(features, first.out_features), features
        )
        outputs, inputs, _ = self.head.shape
        spline = SplineKernel(inputs, outputs, self.kernel_size)
        spline.reset_parameters(gain)
        targets = spline.basis(places) * math.sqrt(math.prod(self.kernel_size))
        fitted = start.fitted(features.relu(), targets, shares)
        self._set(narrow, fitted, features.relu())
        self.head.zero_()[..., :-1] = spline.head
