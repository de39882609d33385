"""Separable convolution of a window of the output, equal to the whole in every bit."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from contconv._runtime.shapes import Float
from contconv.engines.problem import Problem
from contconv.engines.separable import engine as separable
from contconv.engines.separable.bands import Band


class AxisWindow(NamedTuple):
    """Whole bands along an axis, with their outputs and inputs."""

    outputs: slice
    inputs: slice
    bands: list[Band]  # from where the part begins


class WindowedConvolution:
    """A separable convolution of an image that need not be there as a whole.

    Its parts are sums of the same numbers in the same order as those of the whole: they
    take the same bands, and the order of the steps is chosen for the whole.

    Args:
        problem: The convolution; of its image only the shape, dtype and device count.
    """

    def __init__(self, problem: Problem) -> None:
        self.prepared = separable.prepared(problem)

    def parts(self, outputs: Sequence[slice]) -> list[AxisWindow]:
        """For each axis, the fewest bands that hold these outputs."""
        pairs = zip(self.prepared.bands, outputs, strict=True)
        return [_part(bands, wanted) for bands, wanted in pairs]

    def apply(
        self, image: Float[Tensor, "n c *inputs"], parts: Sequence[AxisWindow]
    ) -> Float[Tensor, "n o *outputs"]:
        """The outputs of a part for each axis.

        Args:
            image: The inputs that they take.
            parts: One for each axis.
        """
        return self.prepared.run(image, [part.bands for part in parts])


def _part(bands: list[Band], wanted: slice) -> AxisWindow:
    held = [
        band
        for band in bands
        if band.outputs.start < wanted.stop and band.outputs.stop > wanted.start
    ]
    outputs = slice(held[0].outputs.start, held[-1].outputs.stop)
    reached = [band.inputs for band in held if isinstance(band.inputs, slice)]
    assert len(reached) == len(held)  # no window wraps around
    start, stop = min(r.start for r in reached), max(r.stop for r in reached)
    local = [
        Band(_moved(band.outputs, outputs.start), _moved(inputs, start), band.values)
        for band, inputs in zip(held, reached, strict=True)
    ]
    return AxisWindow(outputs, slice(start, stop), local)


def _moved(window: slice, start: int) -> slice:
    return slice(window.start - start, window.stop - start)
