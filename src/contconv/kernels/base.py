"""ContinuousKernel: a filter that is a function of sub-pixel distance."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, NamedTuple, TypeGuard

import torch
from torch import Tensor, nn

from contconv._runtime.arguments import as_sizes
from contconv._runtime.shapes import Float

# A kernel that is no sum of known functions has to be shown so many distances a pixel.
# The Internal-Net trained at 1/2 (4 to 5 distances on 4 pixels) was wrong by 23 grey
# levels at other scales, at 3/4 (12) by 1.3, at a float scale by 0.67.
_DISTANCES_PER_PIXEL = 2


class Dependence(NamedTuple):
    """All that the weights of a kernel depend on, beside the distances."""

    constants: Hashable
    tensors: tuple[Tensor, ...]  # whose numbers may change


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

    # Whether this very class says what its basis depends on: one that is derived from
    # it may have a basis of its own, with a dropout or an attribute in it.
    _declares: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = vars(cls)
        by_axis = "axis_constants" in own and "axis_basis" in own
        cls._declares = by_axis or ("basis_inputs" in own and "basis" in own)

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

    def degrees(self, axis: int) -> int:
        """How many different distances along an axis determine the kernel."""
        if is_separable(self):
            return self.axis_rank(axis)
        return _DISTANCES_PER_PIXEL * self.kernel_size[axis]

    @property
    def basis_key(self) -> Hashable | None:
        """What `basis` depends on, if it is a product of axes that never change.

        Engines keep what they compute from it, for all kernels with the same key.
        """
        if not self._declares or not is_separable(self):
            return None
        kind, constants = type(self), map(self.axis_constants, range(self.ndim))
        keys = tuple((kind, one) for one in constants if one is not None)
        return keys if len(keys) == self.ndim else None

    def basis_inputs(self) -> tuple[Hashable, tuple[Tensor, ...]]:
        """All that `basis` depends on: constants, and tensors that may change.

        A class that defines it, along with its `basis`, may be kept from call to call;
        what is derived from that class is not, unless it defines both anew.
        """
        raise NotImplementedError

    def dependence(self) -> Dependence | None:
        """All that the weights depend on; None where that cannot be known.

        With None, as for any class of a user's, nothing is kept from call to call.
        """
        key = self.basis_key
        if key is not None:
            return Dependence(key, (self.head,))
        if not self._declares or isinstance(self, SeparableKernel):
            return None
        if not {"basis", "basis_inputs"}.isdisjoint(vars(self)):
            return None
        # Others, such as a parametrized one, may say something else at every call.
        known = ("torch.nn.modules.", "contconv.kernels.")
        parts = (type(part).__module__ for part in self.modules() if part is not self)
        if not all(name.startswith(known) for name in parts):
            return None
        constants, tensors = self.basis_inputs()
        return Dependence((type(self), constants), (self.head, *tensors))

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

    Subclasses define `axis_basis`. One that overrides `basis` is not taken axis by axis
    (``is_separable``).
    """

    @abstractmethod
    def axis_basis(
        self, distance: Float[Tensor, "*batch"], axis: int
    ) -> Float[Tensor, "*batch rank"]:
        """The basis functions of one axis, at a distance along it in input pixels."""

    def axis_constants(self, axis: int) -> Hashable | None:
        """All that `axis_basis` depends on, if that is plain numbers; None if not.

        It counts in a class that defines it along with its `axis_basis`, and not in
        what is derived from that class.
        """
        return None

    def axis_key(self, axis: int) -> Hashable | None:
        """What the basis of an axis depends on, if that never changes.

        Engines keep what they compute from it, for all kernels with the same key. With
        None, they compute it at every call.
        """
        if not self._declares or not is_separable(self):
            return None
        constants = self.axis_constants(axis)
        return None if constants is None else (type(self), constants)

    def axis_rank(self, axis: int) -> int:
        """How many basis functions an axis has."""
        none = torch.zeros(0, device=self.head.device)
        with torch.no_grad():
            return self.axis_basis(none, axis).shape[-1]

    def basis(
        self, distances: Float[Tensor, "*batch ndim"]
    ) -> Float[Tensor, "*batch rank"]:
        """All products of the basis functions of each axis, the last axis fastest."""
        product = self.axis_basis(distances[..., 0], 0)
        for axis in range(1, self.ndim):
            factor = self.axis_basis(distances[..., axis], axis)
            product = (product[..., :, None] * factor[..., None, :]).flatten(-2)
        return product


def is_separable(kernel: ContinuousKernel) -> TypeGuard[SeparableKernel]:
    """Whether the basis is the product of `SeparableKernel.axis_basis`, and no other.

    A class may be derived from a separable kernel and have a `basis` of its own.
    """
    if not isinstance(kernel, SeparableKernel):
        return False
    if torch.compiler.is_compiling():
        return type(kernel).basis is SeparableKernel.basis
    own = {"basis", "axis_basis", "axis_constants"}
    return type(kernel).basis is SeparableKernel.basis and own.isdisjoint(vars(kernel))


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
