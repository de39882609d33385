"""LearnedKernel: what a kernel says of itself to be made by name, fitted and saved."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from contconv.kernels.base import ContinuousKernel


class LearnedKernel(ContinuousKernel, ABC):
    """A kernel with a name: `contconv.kernels.names.LEARNED` lists them.

    It is made with ``(in_channels, out_channels, kernel_size, *, groups, device,
    dtype)`` and options of its own. Layers then take its name, `convert` fits it, and
    `save` and `load` know it.
    """

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The options that make the same kernel, but for its parameters; as in JSON."""

    @classmethod
    @abstractmethod
    def size_for(cls, filter_size: Sequence[int]) -> tuple[int, ...]:
        """The kernel size with as many parameters as a filter of ``filter_size``."""

    @classmethod
    @abstractmethod
    def options_for(cls, taps: Sequence[int]) -> dict[str, Any]:
        """The options that make as many basis functions as there are ``taps``.

        `convert` fits the head to these taps, of which each axis has so many; those of
        a filter that is spread out are more than the support has pixels.
        """

    def arguments(self) -> dict[str, Any]:
        """What the class is called with for the same kernel, but for its parameters."""
        out_channels, in_channels, _ = self.head.shape
        return {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel_size": self.kernel_size,
            **self.options(),
        }
