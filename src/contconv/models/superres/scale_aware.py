"""ScaleAwareKernel: a learned kernel that depends on the scale, too."""

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor, nn

from contconv._grid.ratio import Ratio
from contconv._runtime.shapes import Float
from contconv.kernels import SeparableKernel
from contconv.kernels.names import learned_kernel

# Hidden units of the function of the scale.
_HIDDEN = 32


class ScaleAwareKernel(nn.Module):
    r"""A learned kernel that has the scale as an input.

    .. math:: K(d; s)[o, c] = u(s)[o] \sum_r v(s)[r] \, \mathrm{basis}(d)[r] \,
        \mathrm{head}[o, c, r]

    The factors :math:`u` and :math:`v`, and a bias, are a small network's functions of
    ``1 / s`` on each axis: the size of an output pixel in input pixels. They begin as 1
    and 0. So one layer can sharpen differently at different scales.

    Args:
        name: The kernel at which it begins: ``"spline"`` or ``"cosine"``.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the support in input pixels, for each axis.
        aware: Whether the factors depend on the scale; they are learned in any case.
        options: More arguments of the kernel.
    """

    def __init__(
        self,
        name: str,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        *,
        aware: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        channels = (in_channels, out_channels)
        kernel = learned_kernel(name, *channels, kernel_size, **options)
        assert isinstance(kernel, SeparableKernel)
        self.kernel, self.aware = kernel, aware
        self.counts = [kernel.head.shape[2], out_channels, out_channels]
        self.factors = nn.Sequential(
            nn.Linear(kernel.ndim, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, sum(self.counts)),
        )
        for parameter in self.factors[-1].parameters():
            nn.init.zeros_(parameter)

    def at(
        self, ratios: tuple[Ratio, ...]
    ) -> tuple[SeparableKernel, Float[Tensor, " o"]]:
        """The kernel and the bias at a scale."""
        head = self.kernel.head
        # Divided as tensors: of a quotient of symbols, an export keeps only its value.
        kind: dict[str, Any] = {"dtype": torch.float64, "device": "cpu"}
        up, down = (
            torch.stack([torch.scalar_tensor(one, **kind) for one in each])
            for each in zip(*ratios, strict=True)
        )
        pixel = (down / up).to(head)
        if not self.aware:
            pixel = torch.ones_like(pixel)
        functions, outputs, bias = self.factors(pixel).split(self.counts)
        factors = (1 + functions) * (1 + outputs)[:, None, None]
        return _WithHead(self.kernel, head * factors), bias


class _WithHead(SeparableKernel):
    """The basis of another kernel with a head that a call decides."""

    def __init__(self, kernel: SeparableKernel, head: Tensor) -> None:
        super().__init__(kernel.kernel_size)
        self._of = (kernel,)  # in a tuple, which hides it: its parameters are not ours
        self.head = head

    @property
    def dtype(self) -> torch.dtype | None:
        """That of the head."""
        return self.head.dtype

    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        return self._of[0].axis_basis(distance, axis)

    def axis_constants(self, axis: int) -> Hashable | None:
        return self._of[0].axis_key(axis)
