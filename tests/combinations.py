"""Few cases in which any two values of two axes meet."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import pytest


def pairs(**axes: Sequence[Any] | Mapping[str, Any]) -> pytest.MarkDecorator:
    """Parametrize a test: every pair of values of any two axes, not all products.

    A fault that shows at one value, or where two meet, shows as in the full product;
    what takes three to meet is left to examples that hypothesis draws.

    Args:
        axes: For each argument its values; of a mapping, with their names.
    """
    named = [
        list(axis.items())
        if isinstance(axis, Mapping)
        else [(_name(v), v) for v in axis]
        for axis in axes.values()
    ]
    cases = [
        pytest.param(
            *(axis[i][1] for axis, i in zip(named, row, strict=True)),
            id="-".join(axis[i][0] for axis, i in zip(named, row, strict=True)),
        )
        for row in _rows([len(axis) for axis in named])
    ]
    return pytest.mark.parametrize(", ".join(axes), cases)


def _name(value: Any) -> str:
    return getattr(value, "__name__", None) or str(value)


def _rows(counts: list[int]) -> list[tuple[int, ...]]:
    """Greedily, of all rows the one with most pairs that no other has."""
    rows = [(row, _pairs(row)) for row in product(*map(range, counts))]
    missing = set[tuple[int, int, int, int]]().union(*(seen for _, seen in rows))
    taken = []
    while missing:
        row, seen = max(rows, key=lambda one: len(one[1] & missing))
        taken.append(row)
        missing -= seen
    return taken


def _pairs(row: tuple[int, ...]) -> set[tuple[int, int, int, int]]:
    places = enumerate(row)
    return {(a, i, b, j) for (a, i), (b, j) in combinations(places, 2)}
