"""MLPKernel: the paper's Internal-Net, a small network from distances to weights."""

import itertools
import math
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from contconv._runtime.arguments import as_sizes
from contconv._runtime.numberless import has_numbers
from contconv._runtime.shapes import Float, no_type_check
from contconv.kernels.even_sums import with_even_sums
from contconv.kernels.head import (
    DEFAULT_GAIN,
    check_fit,
    initialise_head,
    new_head,
)
from contconv.kernels.internal_net import (
    centred_mixes,
    creases,
    fitted,
    lowest_cosines,
    places,
)
from contconv.kernels.learned import LearnedKernel

# Creases of the first layer for each pixel of the support, unless widths are given. The
# cosines are met to 3% then (3x3), with weights up to 4; with 8, to 6%, up to 7.
_CREASES_PER_PIXEL = 16


class MLPKernel(LearnedKernel):
    """The Internal-Net of the paper's Figure 2: 1x1 layers and ReLU on each distance.

    The network's last layer, from its last hidden layer to the weights, is a product of
    two: a narrow linear layer, whose output is the basis (with a constant, for the
    bias), and the head. Only the width of the narrow layer enters the large products,
    so the hidden layers before it may be wide.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the support in input pixels, one for each axis.
        widths: Widths of the hidden layers, first to last, then of the narrow layer.
            Unless given, one hidden layer 16 times as wide as the support has pixels,
            and as many parameters in the head as ``nn.Conv2d`` has in its weight.
        even_sums: Whether the sums of the basis over the pixels are the same at every
            sub-pixel offset, to a hundredth or two: a constant comes out as one, as
            with splines. At a scale of 1, with an odd width, all stays as it is.
        groups: Groups of channels that do not mix, as in ``nn.Conv2d``.
        device: Where the parameters live.
        dtype: The dtype of the parameters.

    Raises:
        TypeError: If ``widths`` are not a sequence of whole numbers.
        ValueError: If ``widths`` are fewer than two, or the last exceeds the one
            before; or so many that fitting them to the support would
            take too long.

    Example:
        >>> kernel = MLPKernel(3, 8, (4, 4), widths=(32, 12))
        >>> kernel(torch.tensor([0.25, -1.5])).shape
        torch.Size([8, 3])
    """

    @no_type_check
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        *,
        widths: Sequence[int] | None = None,
        even_sums: bool = False,
        groups: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(kernel_size)
        self.widths = _as_widths(self.kernel_size, widths)
        self.even_sums = bool(even_sums)
        if has_numbers(torch.empty(0, device=device)):
            check_fit(self, self.kernel_size, max(self.widths))
        sizes = (self.ndim, *self.widths)
        self.layers = nn.ModuleList(
            _Linear(fan_in, fan_out, device=device, dtype=dtype)
            for fan_in, fan_out in itertools.pairwise(sizes)
        )
        rank = self.widths[-1] + 1
        self.head = new_head(in_channels, out_channels, groups, rank, device, dtype)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, gain: float = DEFAULT_GAIN) -> None:
        """Draw new layers with a nearly orthonormal basis, and a head of that gain.

        The creases of the first layer cross the support in all directions, those of
        other hidden layers the middle of what they are given. The narrow layer is
        fitted to the basis of `CosineKernel`, lowest frequencies first.
        `initialise_head` says what ``gain`` is.
        """
        if not has_numbers(self.head):
            return
        first, *middle, narrow = self._linear_layers()
        points, shares = places(self.kernel_size, self.head.device)
        features = points / self._half_widths(points)
        features = self._set(first, creases(features, first.out_features), features)
        for layer in middle:
            drawn = centred_mixes(features.relu(), layer.out_features)
            features = self._set(layer, drawn, features.relu())
        targets = lowest_cosines(points, self.kernel_size, narrow.out_features)
        best = fitted(features.relu(), targets, shares)
        self._set(narrow, best, features.relu())
        initialise_head(self, gain)

    def basis(
        self, distances: Float[Tensor, "*batch ndim"]
    ) -> Float[Tensor, "*batch rank"]:
        """The narrow layer at ``distances`` (in input pixels), and a constant."""
        if self.even_sums:
            return with_even_sums(self._functions, distances, self.kernel_size)
        return self._functions(distances)

    def _functions(self, distances: Tensor) -> Tensor:
        *hidden, narrow = self._linear_layers()
        features = distances / self._half_widths(distances)
        for layer in hidden:
            features = self._linear(layer, features).relu()
        features = nn.functional.pad(self._linear(narrow, features), (0, 1), value=1.0)
        return features / math.sqrt(math.prod(self.kernel_size))

    def basis_inputs(self) -> tuple[Hashable, tuple[Tensor, ...]]:
        """The size, and the layers' weights and biases; the head says the step."""
        layers = self._linear_layers()
        values = (value for one in layers for value in (one.weight, one.bias))
        return (self.kernel_size, self.even_sums), tuple(values)

    def options(self) -> dict[str, Any]:
        """The widths, and whether sums are even."""
        return {"widths": self.widths, "even_sums": self.even_sums}

    @classmethod
    def size_for(cls, filter_size: Sequence[int]) -> tuple[int, ...]:
        """That of the filter."""
        return tuple(filter_size)

    @classmethod
    def options_for(cls, taps: Sequence[int]) -> dict[str, Any]:
        """With the constant, a function for each tap."""
        count = math.prod(taps)
        widths = (_CREASES_PER_PIXEL * count, count - 1)
        return {"widths": widths} if count > 1 else {}

    def _linear_layers(self) -> "list[_Linear]":
        return [layer for layer in self.layers if isinstance(layer, _Linear)]

    @property
    def _step(self) -> float:
        """What the layers are multiplied by; their parameters are that much larger.

        All output channels share them, which makes the loss as many times as curved
        along them as along a weight of ``nn.Conv2d``: at its learning rate (SGD, 0.05)
        training diverged at the first steps. With the root of the channels it does not;
        the 2 is for margin.
        """
        return (2 * self.head.shape[0]) ** -0.5

    def _linear(self, layer: "_Linear", features: Tensor) -> Tensor:
        """A layer times its step, in the dtype of the features."""
        weight, bias = layer.weight.to(features.dtype), layer.bias.to(features.dtype)
        return self._step * nn.functional.linear(features, weight, bias)

    def _set(
        self, layer: "_Linear", drawn: tuple[Tensor, Tensor], features: Tensor
    ) -> Tensor:
        """Give the layer its effective weight and bias; return what it then makes."""
        weight, bias = drawn
        layer.weight.copy_(weight / self._step)
        layer.bias.copy_(bias / self._step)
        return self._linear(layer, features)

    def _half_widths(self, like: Tensor) -> Tensor:
        return torch.tensor(self.kernel_size, dtype=like.dtype, device=like.device) / 2


class _Linear(nn.Module):
    """A weight and a bias, which the kernel itself draws.

    No ``nn.Linear``: networks draw anew the weights of all that they find in them, and
    the basis would be a random one, a thousandth as large.
    """

    def __init__(self, fan_in: int, fan_out: int, **factory: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(fan_out, fan_in, **factory))
        self.bias = nn.Parameter(torch.empty(fan_out, **factory))
        self.out_features = fan_out

    def extra_repr(self) -> str:
        """Widths before and after, as `repr` shows them."""
        return f"{self.weight.shape[1]}, {self.out_features}"


def _as_widths(kernel_size: tuple[int, ...], widths: Any) -> tuple[int, ...]:
    """The widths as given, or those that fit the support."""
    if widths is None:
        pixels = math.prod(kernel_size)
        return (_CREASES_PER_PIXEL * pixels, max(pixels - 1, 1))
    if not isinstance(widths, Sequence):
        raise TypeError(
            "widths must be a sequence with one whole number for each layer, "
            f"such as (72, 8), got {widths!r}"
        )
    if len(widths) < 2:
        raise ValueError(
            f"widths must name a hidden and a narrow layer at least, got {widths}"
        )
    sizes = as_sizes(widths, len(widths), "widths")
    if sizes[-1] > sizes[-2]:
        raise ValueError(f"the last of widths must not exceed the one before: {sizes}")
    return sizes
