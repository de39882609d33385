"""AliasFree: an activation that makes no frequencies which the pixels cannot hold."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, fx, nn

from contconv._grid.padding import check_padding_mode
from contconv._runtime.arguments import as_whole, check_callable
from contconv._runtime.shapes import Float, no_type_check
from contconv.functional.finer import Sampling, activated_finer
from contconv.kernels.sinc import SincKernel
from contconv.nn.layer import as_leaf

# Pixels of the windows, and the share of what the pixels hold that is let through on
# the way back. Found by trials of what `experiments/claims/alias_free.py` measures: a
# cutoff of 1 left more that does not move, windows of 8 pixels hardly less.
_WIDTH, _WIDTH_BACK, _CUTOFF_BACK = 6, 7, 0.9


class AliasFree(nn.Module):
    """An activation at a finer sampling.

    An activation makes frequencies above those of its input: what the pixels cannot
    hold of them comes back as a pattern that depends on where the pixels lie. So the
    features are enlarged, activated, low-passed and made small again, both by
    `contconv.resize` with a windowed sinc (Karras et al., 2021, "Alias-Free Generative
    Adversarial Networks"). A polynomial of degree ``up`` has no other frequencies left.

    On the CPU the library of contconv-native does all of it at once, for ReLU, leaky
    ReLU, GELU, SiLU, tanh and the sigmoid, as modules without hooks or as functions of
    torch, of one or two axes.

    Args:
        activation: Acts on each value alone: ``nn.ReLU()``, ``torch.tanh``, ...
        up: By how much the features are enlarged, along each axis.
        ndim: Axes of the features; what has fewer, as after ``nn.Flatten``, is
            activated as it is.
        padding_mode: What lies beyond the edge, as of `contconv.resize`.

    Raises:
        TypeError: If the activation cannot be called, or a number is none.
        ValueError: If a number or the padding mode is none of those that may be.

    Example:
        >>> from contconv.nn import AliasFree
        >>> AliasFree(torch.nn.ReLU())(torch.rand(1, 8, 20, 30)).shape
        torch.Size([1, 8, 20, 30])
    """

    @no_type_check
    def __init__(
        self,
        activation: Callable[[Tensor], Tensor],
        up: int = 2,
        *,
        ndim: int = 2,
        padding_mode: str = "replicate",
    ) -> None:
        super().__init__()
        check_callable(activation, "activation")
        check_padding_mode(padding_mode)
        self.activation, self.up, self.ndim = activation, as_whole(up, "up"), ndim
        self.padding_mode = padding_mode
        self.finer = SincKernel(_WIDTH, ndim=ndim)
        self.back = SincKernel(_WIDTH_BACK, cutoff=_CUTOFF_BACK, ndim=ndim)

    @no_type_check
    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The activation of features ``[n, c, *spatial]``, of the same shape."""
        if isinstance(input, fx.Proxy):
            leaf: Any = as_leaf(self, input)
            return leaf
        if input.ndim != self.ndim + 2:
            return self.activation(input)
        sampling = Sampling(self.up, self.finer, self.back, self.padding_mode)
        return activated_finer(input, self.activation, sampling)

    def extra_repr(self) -> str:
        """How much finer, as `repr` shows it."""
        return f"up={self.up}, padding_mode={self.padding_mode!r}"
