"""Problem, Cost and Engine: the contract between the operator and its engines."""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from contconv._grid.grid import Grid, Neighbors, PointGrid
from contconv._runtime.shapes import Float
from contconv.kernels import ContinuousKernel


@dataclass(frozen=True)
class Problem:
    """One continuous convolution: which image, which kernel, which grid."""

    image: Float[Tensor, "n c *in_shape"]
    kernel: ContinuousKernel
    grid: Grid
    groups: int

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        return self.kernel.head.shape[0]

    @property
    def pixels(self) -> int:
        """Output pixels per image."""
        return prod(self.grid.out_shape)

    @property
    def numbers(self) -> int:
        """Numbers that are read and written, whatever the engine."""
        return self.image.numel() + prod(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the output."""
        return (self.image.shape[0], self.out_channels, *self.grid.out_shape)

    @property
    def learns(self) -> bool:
        """Whether a backward pass may follow."""
        if not torch.is_grad_enabled():
            return False
        wanted = [self.image, *self.tensors()]
        if isinstance(self.grid, PointGrid):
            wanted.append(self.grid.points)
        return any(one.requires_grad for one in wanted)

    def tensors(self) -> list[Tensor]:
        """All that the kernel is computed from."""
        return [self.kernel.head, *self.kernel.parameters()]

    @property
    def basis_dtype(self) -> torch.dtype:
        """At least float32, for distances and basis: bfloat16 has 8 bits for both."""
        return torch.promote_types(self.image.dtype, torch.float32)

    def neighbors(self, rows: slice = slice(None)) -> Neighbors:
        """The neighbors of some rows of the output, for `ContinuousKernel.basis`."""
        return self.grid.neighbors(self.basis_dtype, self.image.device, rows)


class Cost(NamedTuple):
    """The cost of a problem to an engine.

    The time is an estimate in nanoseconds, for comparing engines with each other: a sum
    over what they do, with the prices that fitted the benchmarks best (float32, two CPU
    cores), the backward pass included if the problem learns. Engines run their
    multiply-adds at very different rates.
    """

    multiply_adds: int
    memory: int  # bytes of intermediate tensors
    time: float


@runtime_checkable
class Engine(Protocol):
    """One way to compute Eq. 1. An engine is a module with these three functions."""

    def unsupported(self, problem: Problem) -> list[str]:
        """Why the engine cannot run this; empty if it can. Never raises."""
        ...

    def cost(self, problem: Problem) -> Cost:
        """What it would take, from the sizes alone."""
        ...

    def apply(self, problem: Problem) -> Float[Tensor, "n o *out_shape"]:
        """The output without bias, in `Problem.basis_dtype`: it is rounded later.

        Or in the image's dtype, if it is computed in a wider one and rounded once.
        """
        ...
