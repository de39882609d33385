"""Windows of the output of a separable convolution, equal to the whole to rounding."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from contconv._runtime.shapes import Float
from contconv.engines.problem import Problem
from contconv.engines.separable import engine as separable
from contconv.engines.separable.steps import run_steps
from contconv.engines.weights import AxisWeights


class AxisWindow(NamedTuple):
    """Some outputs along an axis, the inputs that they take, and by which weights."""

    outputs: slice
    inputs: slice
    weights: AxisWeights  # from where the inputs begin


class WindowedConvolution:
    """A separable convolution of an image that need not be there as a whole.

    Args:
        problem: The convolution; of its image only the shape, dtype and device count.
    """

    def __init__(self, problem: Problem) -> None:
        self.head, self.weights, self.order = separable.steps(problem)

    def parts(self, outputs: Sequence[slice]) -> list[AxisWindow]:
        """For each axis, these outputs."""
        pairs = zip(self.weights, outputs, strict=True)
        return [AxisWindow(wanted, *axis.window(wanted)) for axis, wanted in pairs]

    def apply(
        self, image: Float[Tensor, "n c *inputs"], parts: Sequence[AxisWindow]
    ) -> Float[Tensor, "n o *outputs"]:
        """The outputs of a part for each axis.

        Args:
            image: The inputs that they take.
            parts: One for each axis.
        """
        weights = [part.weights for part in parts]
        return run_steps(image, self.head, weights, self.order, exact=False)
