"""ContinuousKernel: a filter that is a function of sub-pixel distance."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from contconv._runtime.arguments import as_sizes
from contconv._runtime.shapes import Float


class ContinuousKernel(nn.Module, ABC):
    r"""A small basis times a linear head: the weights at any distance.

    .. math:: K(d)[o, c] = \sum_{r=1}^{R} \mathrm{basis}(d)[r] \; \mathrm{head}[o, c, r]

    The Internal-Net of the paper (Sec. 3) has this form: its last layer is the head. A
    kernel with one input and one output channel filters every channel alike.

    Subclasses define `basis` and set ``head``.

    Args:
        kernel_size: Width of the support, in input pixels: one for each axis. It holds
            the distances of ``-kernel_size / 2`` to ``kernel_size / 2``; outside, the
            kernel counts as zero, whatever `basis` returns there.
    """

    head: Tensor  # [out_channels, in_channels / groups, rank]

    def __init__(self, kernel_size: Sequence[int]) -> None:
        super().__init__()
        self.kernel_size = as_support(kernel_size)

    @abstractmethod
    def basis(
        self, distances: Float[Tensor, "*batch ndim"]
    ) -> Float[Tensor, "*batch rank"]:
        """The basis functions at ``distances`` (in input pixels), in their dtype."""

    def forward(
        self, distances: Float[Tensor, "*batch ndim"]
    ) -> Float[Tensor, "*batch o c"]:
        """The filter's weights at ``distances`` (in input pixels), in their dtype."""
        if distances.shape[-1] != self.ndim:
            raise ValueError(
                f"distances must be [..., {self.ndim}] for a kernel with {self.ndim} "
                f"axes, got {tuple(distances.shape)}"
            )
        head = self.head.to(distances)
        return torch.einsum("...r,ocr->...oc", self.basis(distances), head)

    @property
    def ndim(self) -> int:
        """How many axes the kernel has."""
        return len(self.kernel_size)

    @property
    def basis_key(self) -> Hashable | None:
        """What `basis` depends on, if that never changes; engines keep its values."""
        return None

    @property
    def is_shared(self) -> bool:
        """Whether one filter serves every channel."""
        return tuple(self.head.shape[:2]) == (1, 1)

    @property
    def dtype(self) -> torch.dtype | None:
        """The dtype of the parameters; None for a kernel without any."""
        return next((parameter.dtype for parameter in self.parameters()), None)

    def extra_repr(self) -> str:
        """The sizes, as `repr` shows them."""
        out_channels, in_channels, rank = self.head.shape
        channels = f"{in_channels}, {out_channels}, " if self.dtype else ""
        return f"{channels}kernel_size={self.kernel_size}, rank={rank}"


class SeparableKernel(ContinuousKernel, ABC):
    """A kernel whose basis is a product of one basis per axis.

    Subclasses define `axis_basis`.
    """

    @abstractmethod
    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """The basis functions of one axis, at a distance along it in input pixels."""

    @property
    def basis_key(self) -> Hashable | None:
        """The keys of all axes, if each has one."""
        keys = tuple(self.axis_key(axis) for axis in range(self.ndim))
        return None if None in keys else keys

    def axis_key(self, axis: int) -> Hashable | None:
        """What the basis of an axis depends on, if that never changes.

        Engines keep what they compute from it, for all kernels with the same key. With
        None, as here, they compute it at every call.
        """
        return None

    def basis(
        self, distances: Float[Tensor, "*batch ndim"]
    ) -> Float[Tensor, "*batch rank"]:
        """All products of the basis functions of each axis, the last axis fastest."""
        product = self.axis_basis(distances[..., 0], 0)
        for axis in range(1, self.ndim):
            factor = self.axis_basis(distances[..., axis], axis)
            product = (product[..., :, None] * factor[..., None, :]).flatten(-2)
        return product


def as_support(kernel_size: Any) -> tuple[int, ...]:
    """The kernel size as one whole number for each of one to three axes."""
    if not isinstance(kernel_size, Sequence):
        raise TypeError(
            "kernel_size must be a sequence with one whole number for each axis, such "
            f"as (3, 3), got {kernel_size!r}"
        )
    if not 1 <= len(kernel_size) <= 3:
        raise ValueError(f"kernel_size must have 1 to 3 axes, got {tuple(kernel_size)}")
    return as_sizes(kernel_size, len(kernel_size), "kernel_size")
