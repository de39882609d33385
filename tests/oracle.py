"""Eq. 1 and 2 in exact fractions and plain loops, sharing nothing with the library."""

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

HALF = Fraction(1, 2)


def position(n: int, in_size: int, out_size: int, scale: Fraction) -> Fraction:
    """Eq. 2, as the paper writes it."""
    return n / scale + Fraction(in_size - 1, 2) - (out_size - 1) / (2 * scale)


def neighbors(g: Fraction, width: Fraction) -> dict[int, Fraction]:
    """Weight of every pixel within half a width of ``g``; pixels on the edge half."""
    low, high = g - width / 2, g + width / 2
    pixels = range(math.ceil(low), math.floor(high) + 1)
    return {m: HALF if m in (low, high) else Fraction(1) for m in pixels}


def padded(line: Sequence[float], m: int, mode: str) -> float:
    """Pixel ``m`` of a line that NumPy pads far enough."""
    if mode == "zeros":
        return line[m] if 0 <= m < len(line) else 0.0
    names = {"replicate": "edge", "circular": "wrap"}
    around = abs(m) + 1
    wide = np.pad(np.arange(len(line)), around, names.get(mode, mode))  # type: ignore
    return line[wide[m + around]]


def convolve(
    image: np.ndarray,
    weights: Callable[[tuple[float, ...]], np.ndarray],
    scales: Sequence[Fraction],
    sizes: Sequence[int],
    widths: Sequence[int],
    mode: str,
) -> np.ndarray:
    """Eq. 1 on ``image [c, *in]``, pixel by pixel; ``weights(d)`` is ``[o, c]``."""
    in_sizes = image.shape[1:]
    columns = []
    for n in itertools.product(*map(range, sizes)):
        g = [position(*a) for a in zip(n, in_sizes, sizes, scales, strict=True)]
        near = [
            neighbors(g_i, Fraction(width))
            for g_i, width in zip(g, widths, strict=True)
        ]
        total: np.ndarray | float = 0.0
        for m in itertools.product(*near):
            factor = math.prod(near_i[m_i] for near_i, m_i in zip(near, m, strict=True))
            distance = tuple(float(g_i - m_i) for g_i, m_i in zip(g, m, strict=True))
            pixel = np.array([_pixel(channel, m, mode) for channel in image])
            total = total + float(factor) * weights(distance) @ pixel
        columns.append(total)
    return np.stack(columns, 1).reshape(-1, *sizes)


def _pixel(channel: np.ndarray, m: tuple[int, ...], mode: str) -> float:
    for m_i in m:
        size = channel.shape[0]
        index = padded(range(size), m_i, mode) if mode != "zeros" else m_i
        if not 0 <= index < size:
            return 0.0
        channel = channel[int(index)]
    return float(channel)
