"""Scale sequences: how a network shares an overall scale among its layers.

The scales of a sequence are exact, and their product is the overall scale exactly: they
are quotients of neighbors in one chain of whole numbers, from first to last.
"""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import torch

from contconv._grid.ratio import Scale, as_ratios
from contconv._runtime.arguments import as_whole
from contconv._runtime.shapes import no_type_check

ScaleSequence = list[tuple[Fraction, ...]]

# About how large the whole numbers of a chain are: those of a float's ratio, too.
_CHAIN = 10**5


@no_type_check
def equal(layers: int, overall: Scale, *, axes: int = 2) -> ScaleSequence:
    """The same scale for every layer, up to rounding: the ``layers``-th root.

    Args:
        layers: How many layers share the overall scale.
        overall: Output over input pixels of all layers together, for all axes or each.
        axes: How many axes an image has.

    Returns:
        For each layer, a scale for each axis.

    Raises:
        TypeError, ValueError: If ``layers`` is not a positive whole number, or
            ``overall`` no positive scale.

    Example:
        >>> sequence = equal(6, 1 / 4)
        >>> [round(float(scale), 4) for scale in sequence[0]]
        [0.7937, 0.7937]
        >>> math.prod(scale[0] for scale in sequence)
        Fraction(1, 4)
    """
    as_whole(layers, "layers")
    shares = [[1 / layers] * layers] * axes
    return _sequence(overall, shares)


@no_type_check
def alternating(layers: int, overall: Scale, *, first: int = 0) -> ScaleSequence:
    """Each layer scales one axis only, by turns, of images with two axes.

    Args:
        layers: How many layers share the overall scale; two at least.
        overall: As for `equal`.
        first: The axis that the first layer scales: 0, the height, or 1, the width.

    Returns:
        For each layer, a scale for each axis, one of them 1.

    Raises:
        TypeError, ValueError: As `equal` does, or if ``first`` is not 0 or 1.

    Example:
        >>> [tuple(map(str, scales)) for scales in alternating(3, 1 / 4)]
        [('1/2', '1'), ('1', '1/4'), ('1/2', '1')]
    """
    if as_whole(layers, "layers") < 2:
        raise ValueError(f"layers must be at least 2, one for each axis, got {layers}")
    if first not in (0, 1):
        raise ValueError(f"first must be 0 (height) or 1 (width), got {first!r}")
    shares = []
    for axis in range(2):
        turns = [(layer + first) % 2 == axis for layer in range(layers)]
        shares.append([turn / sum(turns) for turn in turns])
    return _sequence(overall, shares)


@no_type_check
def random(
    layers: int,
    overall: Scale,
    *,
    axes: int = 2,
    evenness: float = 4.0,
    generator: torch.Generator | None = None,
) -> ScaleSequence:
    """Each axis is shared out among the layers at random, independently.

    The shares, of the logarithm of the overall scale, are drawn from a symmetric
    Dirichlet distribution.

    Args:
        layers: How many layers share the overall scale.
        overall: As for `equal`; a scale of 1 stays 1 in every layer.
        axes: How many axes an image has.
        evenness: The distribution's concentration: large for nearly equal scales, 1
            for any, small for all the change in one layer.
        generator: The source of chance, on the CPU; torch's default one unless given.

    Returns:
        For each layer, a scale for each axis.

    Raises:
        TypeError, ValueError: As `equal` does, or if ``evenness`` is not positive.

    Example:
        >>> sequence = random(7, (1 / 4, 1 / 2))
        >>> len(sequence), math.prod(scale[1] for scale in sequence)
        (7, Fraction(1, 2))
    """
    as_whole(layers, "layers")
    if not (math.isfinite(evenness) and evenness > 0):
        raise ValueError(f"evenness must be positive and finite, got {evenness}")
    concentration = torch.full((axes, layers), float(evenness), dtype=torch.float64)
    # `torch.distributions` takes no generator.
    drawn = torch._standard_gamma(concentration, generator)  # type: ignore
    return _sequence(overall, (drawn / drawn.sum(1, keepdim=True)).tolist())


@no_type_check
def jittered(
    sequence: Sequence[Scale],
    amount: float,
    *,
    axes: int = 2,
    generator: torch.Generator | None = None,
) -> ScaleSequence:
    """A sequence with every scale changed at random, and the same product.

    The logarithms of the changes are uniform, and their mean over the layers is taken
    from each.

    Args:
        sequence: For each layer a scale, for all axes or for each, such as
            `contconv.nn.scales_of` returns.
        amount: The largest change, relative to the scale, before the mean is taken off:
            0.15 is up to 15 percent.
        axes: How many axes an image has.
        generator: The source of chance, on the CPU; torch's default one unless given.

    Returns:
        For each layer, a scale for each axis.

    Raises:
        TypeError, ValueError: If a scale is none, or ``amount`` negative.

    Example:
        >>> sequence = jittered(equal(6, 1 / 4), 0.15)
        >>> math.prod(scale[0] for scale in sequence)
        Fraction(1, 4)
    """
    if not (math.isfinite(amount) and amount >= 0):
        raise ValueError(f"amount must be finite and not negative, got {amount}")
    scales = [tuple(Fraction(*r) for r in as_ratios(s, axes)) for s in sequence]
    if not scales:
        raise ValueError("sequence must hold at least one scale")
    if amount == 0:
        return scales
    noise = torch.rand((axes, len(scales)), dtype=torch.float64, generator=generator)
    noise = (2 * noise - 1) * math.log1p(amount)
    noise = noise - noise.mean(1, keepdim=True)
    per_axis = []
    for axis in range(axes):
        own = [scale[axis] for scale in scales]
        logs = [math.log(s) + n for s, n in zip(own, noise[axis].tolist(), strict=True)]
        per_axis.append(_chained(math.prod(own, start=Fraction(1)), logs))
    return list(zip(*per_axis, strict=True))


def _sequence(overall: Any, shares: Sequence[Sequence[float]]) -> ScaleSequence:
    """For each axis, the overall scale to the power of each share."""
    per_axis = []
    for ratio, parts in zip(as_ratios(overall, len(shares)), shares, strict=True):
        log = math.log(ratio.up) - math.log(ratio.down)
        per_axis.append(_chained(Fraction(*ratio), [log * part for part in parts]))
    return list(zip(*per_axis, strict=True))


def _chained(product: Fraction, logs: Sequence[float]) -> list[Fraction]:
    """Scales with these logarithms, to five digits, and exactly this product."""
    first = product.denominator * max(1, round(_CHAIN / product.denominator))
    chain, reached = [first], 0.0
    for log in logs[:-1]:
        reached += log
        # A layer that leaves the size as it is does so exactly.
        near = chain[-1] if log == 0 else max(1, round(first * math.exp(reached)))
        chain.append(near)
    chain.append(int(first * product))
    return [Fraction(after, before) for before, after in itertools.pairwise(chain)]
