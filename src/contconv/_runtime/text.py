"""Numbers and paragraphs as people read them: bytes, counts, times, wrapped lines."""

import math
from collections.abc import Container, Iterable, Sequence
from fractions import Fraction
from itertools import zip_longest
from textwrap import TextWrapper, wrap

# Units, and how many of each make one of the next.
_COUNTS = [("", 1000), ("k", 1000), ("M", 1000), ("G", 1000), ("T", 1000), ("P", 1000)]


_TIMES = [("ms", 1000), ("s", 60), ("min", 60), ("h", 24), ("days", 365)]


_WIDTH, _TABLE_WIDTH = 88, 100


def wrapped(text: str, start: str = "") -> str:
    """The text after ``start``, in lines that end where the others do."""
    wrapper = TextWrapper(_WIDTH, start, " " * len(start), break_on_hyphens=False)
    return "\n".join(wrapper.wrap(text))


def aligned(rows: Sequence[Sequence[str]], numbers: Container[str] = ()) -> list[str]:
    """A table: the cells of each column one below the other, the widest ones folded.

    Args:
        rows: The first one has the heads of the columns.
        numbers: The heads of those that end where their heads end.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while sum(widths) + 2 * len(widths) > _TABLE_WIDTH:
        widths[widths.index(max(widths))] -= 1
    places = [str.rjust if head in numbers else str.ljust for head in rows[0]]
    lines = []
    for row in rows:
        folded = [
            wrap(cell, max(width, 1)) for cell, width in zip(row, widths, strict=True)
        ]
        for cells in zip_longest(*folded, fillvalue=""):
            placed = zip(places, cells, widths, strict=True)
            line = "  ".join(place(cell, width) for place, cell, width in placed)
            lines.append(line.rstrip())
    return lines


def scale_text(scale: Iterable[Fraction]) -> str:
    """A scale as decimals, once if all axes have the same."""
    return times(dict.fromkeys(map(decimal, scale)))


def whole_text(number: int) -> str:
    """A whole number; of one with many digits, about how many."""
    if abs(number) < 10**20:
        return str(number)
    tens = round((abs(number).bit_length() - 0.5) * math.log10(2))
    return f"about {'-' * (number < 0)}10^{tens}"


def decimal(number: float | Fraction) -> str:
    """A number in at most four digits."""
    return f"{float(number):.4g}"


def times(numbers: Iterable[object]) -> str:
    """A product, as that of a size."""
    return " x ".join(map(str, numbers))


def spent_time(nanoseconds: float) -> str:
    """A time in three digits, such as 1.23 ms."""
    return _in_units(nanoseconds / 1e6, _TIMES, "years")


def counted(count: int) -> str:
    """A number in three digits, such as 1.23 M."""
    return _in_units(count, _COUNTS, "E").rstrip()


def _in_units(value: float, units: list[tuple[str, int]], largest: str) -> str:
    """Three digits, and the unit that suits them."""
    for unit, step in units:
        # What would be rounded up to the next unit belongs there.
        if value < step - 0.5:
            return f"{value:.3g} {unit}"
        value /= step
    return f"{value:.3g} {largest}"


def readable(size: int) -> str:
    """Bytes in the unit that suits them."""
    value, units = float(size), iter(["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
    unit = next(units)
    for larger in units:
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.4g} {unit}"
