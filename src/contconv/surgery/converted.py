"""Converted layers: what other code reads of a convolution, or asks of it, is there."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from contconv._grid.grid import AxisGrid, resized_axes
from contconv._grid.placement import Placements
from contconv._grid.ratio import Scale, Size
from contconv._runtime.autograd import is_transformed
from contconv._runtime.shapes import Float, no_type_check
from contconv.functional.conv import run_call
from contconv.nn.conv import (
    LAYERS,
    ContinuousConv1d,
    ContinuousConv2d,
    ContinuousConv3d,
)
from contconv.nn.layer import ContinuousConv, as_leaf
from contconv.surgery.fit import TapLayout, fit, weight_of
from contconv.surgery.weight import ComputedWeight


class Converted(ContinuousConv):
    """A continuous layer that has the place of a convolution.

    Its ``weight`` is that of the convolution: read, it is computed from the kernel's
    head; set, the head becomes the one that passes through it. A ``state_dict`` with
    the weight loads. Of a transposed one, a call takes ``output_size``.
    """

    origin: TapLayout
    keeps: bool  # whether the kernel passes through the taps
    tolerance: float = math.inf  # how far it may be off, over the largest
    sized: (
        Placements | None
    )  # the grid of a call with output_size; None if there is none

    @property
    def weight(self) -> Tensor:
        """The convolution's weight, at the layer's own scale; differentiable."""
        weight = weight_of(self.kernel, self.origin)
        return weight if is_transformed() else weight.as_subclass(ComputedWeight)

    def __setattr__(self, name: str, value: Any) -> None:
        """Fit the kernel to a weight that is set."""
        if name != "weight":
            return super().__setattr__(name, value)
        if tuple(value.shape) != self.origin.shape:
            raise ValueError(
                f"weight must have shape {self.origin.shape}, got {tuple(value.shape)}"
            )
        head, _ = fit(self.kernel, self.origin, value.to(self.kernel.head.device))
        with torch.no_grad():
            self.kernel.head.copy_(head)
        self.kernel.head.requires_grad_(value.requires_grad)

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        """Refuse what would take the weight's place, as `torch.nn.utils.prune` does."""
        if name == "weight_orig":
            raise TypeError(
                "the weight of a converted layer is computed from kernel.head, so that "
                "it cannot be pruned in place; prune before convert, and make that "
                "permanent, or set layer.weight to layer.weight * mask"
            )
        super().register_parameter(name, param)

    @no_type_check
    def forward(
        self,
        input: Float[Tensor, "..."],
        output_size: Sequence[int] | None = None,
        *,
        scale: Scale | None = None,
        size: Size | None = None,
        points: Float[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "..."]:
        """As `ContinuousConv2d`; or, of a transposed one, with its ``output_size``.

        The grid keeps its scale and begins where it did, and has that many pixels.
        """
        if isinstance(input, fx.Proxy):
            options = {"scale": scale, "size": size, "points": points}
            leaf: Any = as_leaf(self, input, output_size=output_size, **options)
            return leaf
        if output_size is None:
            return super().forward(input, scale=scale, size=size, points=points)
        if self.sized is None:
            raise TypeError("output_size is for what was a transposed convolution")
        call = self._call(input, self._ratios, output_size[-self.ndim :], None)
        assert isinstance(call.grid, AxisGrid)
        sizes = (call.grid.in_shape, self.kernel_size, self._ratios)
        own = (call.grid.out_shape, self.antialias, self.sized)
        grid = replace(call.grid, axes=resized_axes(*sizes, *own))
        return run_call(replace(call, grid=grid))

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Turn the weight of a discrete layer into a head, as it is loaded."""
        weight, kernel = state_dict.get(prefix + "weight"), self.kernel
        known = prefix + "kernel.head" in state_dict or not self.keeps
        if (
            isinstance(weight, Tensor)
            and weight.shape == self.origin.shape
            and not known
        ):
            # Of meta tensors, those that are loaded may take the place.
            device = weight.device if kernel.head.is_meta else kernel.head.device
            try:
                head, error = fit(kernel, self.origin, weight.to(device))
            except RuntimeError:  # of a basis that has no numbers
                head, error = kernel.head.detach(), math.nan
            if not error <= self.tolerance:
                args[-1].append(
                    f"the kernel does not pass through {prefix}weight: it is off by "
                    f"{error:.1e} of the largest tap; after to_empty, call "
                    "reset_parameters() of the layer first"
                )
            del state_dict[prefix + "weight"]
            state_dict[prefix + "kernel.head"] = head.to(weight)
            for name, value in kernel.named_parameters():
                state_dict.setdefault(f"{prefix}kernel.{name}", value.detach())
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class ConvertedConv1d(Converted, ContinuousConv1d):
    """A `ContinuousConv1d` that has the place of a convolution."""


class ConvertedConv2d(Converted, ContinuousConv2d):
    """A `ContinuousConv2d` that has the place of a convolution."""


class ConvertedConv3d(Converted, ContinuousConv3d):
    """A `ContinuousConv3d` that has the place of a convolution."""


# By the number of axes.
CONVERTED: dict[int, type[Converted]] = {
    1: ConvertedConv1d,
    2: ConvertedConv2d,
    3: ConvertedConv3d,
}


def name_of(module: nn.Module) -> str:
    """What reports call a module."""
    kind = plain_class(module) if isinstance(module, Converted) else type(module)
    return kind.__name__


def plain_class(layer: ContinuousConv) -> type[ContinuousConv]:
    """The class of a layer; of a converted one, the class of such layers."""
    return LAYERS[layer.ndim] if isinstance(layer, Converted) else type(layer)
