"""Windows of the output of a separable convolution, equal to the whole in every bit."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._grid.grid import AxisGrid
from contconv._runtime.shapes import Float
from contconv.engines.native.engine import plan_of
from contconv.engines.native.gradients import separable
from contconv.engines.native.tables import axis_tables
from contconv.engines.problem import Problem


class AxisPart(NamedTuple):
    """Some outputs along an axis, and the inputs that they take."""

    outputs: slice
    inputs: slice
    source: Tensor  # int32 [outputs, taps], from where the inputs begin
    weight: Tensor  # [outputs, taps, rank]


class LibraryWindows:
    """A separable convolution of an image that need not be there as a whole.

    Its parts are what they are in the whole: a pixel's sum does not depend on where it
    is, and the order of the steps is chosen for the whole.

    Args:
        problem: The convolution; of its image only the shape counts.
    """

    def __init__(self, problem: Problem) -> None:
        assert isinstance(problem.grid, AxisGrid)
        self.ndim, self.groups = len(problem.grid.axes), problem.groups
        self.head = problem.kernel.head.float().contiguous()
        self.tables = axis_tables(problem)
        self.order = plan_of(problem).order

    def parts(self, outputs: Sequence[slice]) -> list[AxisPart]:
        """For each axis, these outputs."""
        tables = self.tables[2 * (3 - self.ndim) :]
        pairs = zip(tables[::2], tables[1::2], outputs, strict=True)
        return [_part(*pair) for pair in pairs]

    def apply(
        self, image: Float[Tensor, "n c *inputs"], parts: Sequence[AxisPart]
    ) -> Float[Tensor, "n o *outputs"]:
        """The outputs of a part for each axis.

        Args:
            image: The inputs that they take.
            parts: One for each axis.
        """
        tables = [*self.tables[: 2 * (3 - self.ndim)]]
        for part in parts:
            tables += part.source, part.weight
        return separable(image, self.head, tuple(tables), self.groups, self.order)  # type: ignore

    def whole(self, image: Float[Tensor, "n c *in"]) -> Float[Tensor, "n o *out"]:
        """All outputs."""
        return separable(image, self.head, self.tables, self.groups, self.order)


def _part(source: Tensor, weight: Tensor, outputs: slice) -> AxisPart:
    source, weight = source[outputs], weight[outputs]
    counts = source >= 0
    low = int(torch.where(counts, source, 2**31 - 1).min())
    high = int(source.max())
    if high < 0:  # nothing counts
        low = high = 0
    source = torch.where(counts, source - low, source)
    return AxisPart(outputs, slice(low, high + 1), source, weight.contiguous())
