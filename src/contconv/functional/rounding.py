"""8-bit images: weighted sums, rounded as if they were exact."""

import torch
from torch import Tensor

from contconv._runtime.shapes import Float, Int

# A sum in float64 that should be a whole number and a half misses it by up to about
# 1e-12. With this much more it is rounded up, in whichever order it was summed.
_NUDGE = 2.0**-36

# The largest denominator for which a quotient in float32 is exact enough: a quarter of
# 1 / 4096 is 6e-5, and the error of a number below 256 is 3e-5.
_MAX_DENOMINATOR = 4096


def rounded(sums: Float[Tensor, "*any"], over: int = 1) -> Int[Tensor, "*any"]:
    """``sums / over`` as whole numbers of 0 to 255, halves up; overwrites ``sums``.

    They are in float64, or `whole_weights` times pixels.
    """
    nudge = _NUDGE if over == 1 else 1 / (4 * over)
    quotients = sums if over == 1 else sums.mul_(1 / over)
    return quotients.add_(0.5 + nudge).clamp(0, 255).to(torch.int32)


def whole_weights(
    weights: Float[Tensor, "out taps"],
) -> tuple[Float[Tensor, "out taps"], int]:
    """The weights as whole numbers in float32, and what to divide them by.

    Sums of whole numbers are exact in float32, up to ``2 ** 24``. At the usual scales
    there are such: at 1/3, the cubic kernel has multiples of 1/81. Elsewhere, the
    weights are returned as they are, and 1.
    """
    over = 1
    while over:
        whole = weights * over
        others = whole[~_are_whole(whole)]
        if not len(others):
            return _as_float32(weights, whole.round(), over)
        factors = torch.arange(_MAX_DENOMINATOR // over + 1, device=weights.device)
        fitting = factors[_are_whole(factors * others[0])]
        over *= int(fitting[1]) if len(fitting) > 1 else 0
    return weights, 1


def _are_whole(values: Tensor) -> Tensor:
    return (values - values.round()).abs() < 1e-9


def _as_float32(weights: Tensor, whole: Tensor, over: int) -> tuple[Tensor, int]:
    if 255 * whole.abs().sum(-1).max() >= 2**24:
        return weights, 1
    return whole.float(), over
