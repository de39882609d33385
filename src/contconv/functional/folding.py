"""Weights of kernels wider than the image, summed up for each of its pixels."""

from collections.abc import Sequence
from math import prod

import torch

from contconv._grid.axis import Axis
from contconv.engines.weights import NormalizedWeights, padded

# Weights of all outputs together: a few seconds, and 320 MiB.
_MOST_WEIGHTS = 2**23

# How often a window may repeat the image before that counts.
_REPEATS = 16


def check_windows(axes: Sequence[Axis]) -> None:
    """Raise ValueError if a kernel over these axes covers absurdly many pixels."""
    if torch.compiler.is_compiling():
        return
    taps = prod([axis.taps for axis in axes])
    outputs = prod([axis.out_size for axis in axes])
    if taps * outputs <= _MOST_WEIGHTS:
        return
    if taps > _REPEATS * prod([axis.in_size for axis in axes]):
        scales, pixels = (
            " x ".join(texts)
            for texts in zip(
                *((f"{one.up}/{one.down}", f"{one.in_size}") for one in axes),
                strict=True,
            )
        )
        raise ValueError(
            f"at a scale of {scales} the kernel covers {taps} pixels for each of "
            f"{outputs}, but the input has {pixels}; ask for a larger scale, or leave "
            "out antialias"
        )


def folded(weights: NormalizedWeights) -> NormalizedWeights:
    """The same weights with every pixel of the image once, if that is less."""
    axis = weights.axis
    if torch.compiler.is_compiling() or axis.taps <= axis.in_size:
        return weights
    source, values = padded(weights)
    sums = values.new_zeros(axis.out_size, axis.in_size).scatter_add(1, source, values)
    pixel = torch.arange(axis.in_size, device=source.device).expand_as(sums)
    key = None if weights.key is None else (weights.key, "folded")
    return weights._replace(pixel=pixel, values=sums, key=key)
