"""Pairs: an enlargement or a pooling, and the convolution after it, as one filter."""

from dataclasses import replace
from fractions import Fraction

from torch import nn

from contconv._grid.placement import Placement
from contconv.surgery.discrete import (
    AVERAGES,
    MAXIMA,
    Convolution,
    Discrete,
    read_conv,
    refused,
)
from contconv.surgery.fixed import is_mean_of_blocks, settings_of, whole_factors


def read_pair(first: nn.Module, conv: Convolution, *, fresh: bool) -> Discrete | None:
    """What both compute, or None where that is no filter on a grid."""
    if refused(conv):
        return None
    if isinstance(first, nn.Upsample):
        return _enlarged(first, conv)
    if isinstance(first, AVERAGES) and not fresh:
        return _averaged(first, conv)
    if isinstance(first, (*AVERAGES, *MAXIMA)) and fresh:
        return _pooled(first, conv)
    return None


def _enlarged(first: nn.Upsample, conv: Convolution) -> Discrete | None:
    """Pixels repeated, then a convolution: phases of one kernel, at that scale."""
    factors = whole_factors(first.scale_factor, len(conv.kernel_size))
    if first.mode not in ("nearest", "nearest-exact") or factors is None:
        return None
    plain = conv.padding_mode == "zeros" or conv.padding in (0, "valid")
    if not plain or any(step != 1 for step in conv.stride):
        return None
    return read_conv(conv, repeated=factors)


def _averaged(first: nn.Module, conv: Convolution) -> Discrete | None:
    """Means of blocks, then a convolution: a wider one, with a larger stride."""
    pool = settings_of(first, len(conv.kernel_size))
    plain = conv.padding_mode == "zeros" or conv.padding in (0, "valid")
    if not (is_mean_of_blocks(pool) and plain):
        return None
    found = read_conv(conv, pooled=pool["kernel_size"])
    return replace(found, note="equal where the pooling divides the size")


def _pooled(first: nn.Module, conv: Convolution) -> Discrete | None:
    """Any pooling, then a convolution that keeps the size: only the size stays."""
    pool = settings_of(first, len(conv.kernel_size))
    keeps = all(step == 1 for step in conv.stride) and conv.padding in (
        "same",
        tuple((k - 1) / 2 for k in conv.kernel_size),
    )
    if not keeps or pool["ceil_mode"] or pool["dilation"] != (1,) * len(pool["stride"]):
        return None
    sizes = zip(pool["kernel_size"], pool["padding"], strict=True)
    return replace(
        read_conv(conv),
        scale=tuple(Fraction(1, step) for step in pool["stride"]),
        placements=tuple(Placement(2 * p - a + 1) for a, p in sizes),
    )
