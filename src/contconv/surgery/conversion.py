"""Conversion: what was replaced, what was left alone and why; and the way back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from torch import nn

from contconv._grid.grid import resized_axes
from contconv._grid.placement import Placement
from contconv._runtime.text import counted, wrapped
from contconv.nn.observe import Shapes
from contconv.surgery.discrete import Discrete
from contconv.surgery.replace import swap


def scale_text(scale: Sequence[Fraction]) -> str:
    """A scale in words: once if it is the same on all axes."""
    return " x ".join(map(str, dict.fromkeys(scale)))


def grid_text(placements: Sequence[Placement]) -> str:
    """How the axes of a grid lie: once if it is the same for all."""
    words = list(dict.fromkeys(map(str, placements)))
    return " x ".join(words)


def off_centre(discrete: Discrete, ends: Shapes) -> str:
    """How far the grid is off the centre of this input."""
    axes = len(discrete.kernel_size)
    scale, sizes, in_sizes = discrete.scale, ends.after[-axes:], ends.before[-axes:]
    grids = (
        resized_axes(in_sizes, discrete.kernel_size, scale, sizes, placements=p)
        for p in (discrete.placements, None)
    )
    shifts = [
        Fraction(mine.position(0) - centred.position(0), mine.unit)
        for mine, centred in zip(*grids, strict=True)
    ]
    if not any(shifts):
        return "centred"
    once = dict.fromkeys(f"{float(shift):+g}" for shift in shifts)
    return " x ".join(once) + " px off centre"


if TYPE_CHECKING:
    from rich.console import Group

_COLUMNS = (
    "layer",
    "was",
    "scale",
    "grid",
    "error",
    "parameters",
    "multiply-adds",
    "output",
    "note",
)
_UNNAMED = ("grid", "note")


@dataclass(frozen=True)
class Row:
    """A layer of the network, or two that follow each other.

    Attributes:
        name: In the network; of two, the second one's, which is where it stands.
        was: What it was.
        becomes: What replaces it; empty if it is left alone.
        scale: Of what replaces it.
        reason: Why it is left alone; empty if it is not.
        grid: Where its output pixels lie.
        note: What does not stay the same.
        error: How far the kernel is off at any tap, over the largest; None if the layer
            is new.
        parameters: Before and after.
        multiply_adds: Before and after, for the example input; None without one.
        in_shape: Of the example input's features; None without one.
        out_shape: Likewise.
    """

    name: str
    was: str
    becomes: str = ""
    scale: str = ""
    reason: str = ""
    grid: str = ""
    note: str = ""
    error: float | None = None
    parameters: tuple[int, int] | None = None
    multiply_adds: tuple[int, int] | None = None
    in_shape: tuple[int, ...] | None = None
    out_shape: tuple[int, ...] | None = None


@dataclass
class Conversion:
    """What `convert` or `gradual` did, or would do; ``print`` shows a table.

    Attributes:
        model: The network: the same object, unless it is a single layer.
        rows: A row for each layer that was chosen.
        applied: Whether the network is changed: not after a dry run, nor after `undo`.
    """

    model: nn.Module
    rows: list[Row]
    applied: bool = False
    _original: nn.Module = field(repr=False, default_factory=nn.Identity)
    _swaps: list["Swap"] = field(repr=False, default_factory=list)

    @property
    def converted(self) -> list[Row]:
        """The layers that are replaced."""
        return [row for row in self.rows if row.becomes]

    @property
    def left(self) -> list[Row]:
        """The layers that are left alone, with the reasons."""
        return [row for row in self.rows if row.reason]

    def undo(self) -> nn.Module:
        """Put the old layers back, as they were; returns the network.

        What the new layers have learned since is lost.

        Raises:
            RuntimeError: If there is nothing to undo, or the network has been changed
                in the meantime; it stays as it is then.
        """
        if not self.applied:
            raise RuntimeError("there is nothing to undo: the network is not changed")
        now = dict(self.model.named_modules(remove_duplicate=False))
        for one in self._swaps:
            for name in one.names:
                if now.get(name) is not one.after:
                    raise RuntimeError(
                        f"layer {name!r} is no longer the one that was put there; undo "
                        "later changes first"
                    )
        for one in self._swaps:
            swap(self.model, one.names, one.before)
        self.model, self.applied = self._original, False
        return self.model

    def __str__(self) -> str:
        """A line or more for each layer, and the sums."""
        lines = [_line(row) for row in self.rows]
        return "\n".join([*lines, wrapped(self._summary())])

    def _summary(self) -> str:
        done = "replaced" if self.applied else "would be replaced"
        text = f"{len(self.converted)} {done}, {len(self.left)} left alone"
        sums = [row.parameters for row in self.converted if row.parameters]
        if sums:
            before, after = (sum(pair[i] for pair in sums) for i in (0, 1))
            text += f"; parameters {counted(before)} -> {counted(after)}"
        costs = [row.multiply_adds for row in self.converted if row.multiply_adds]
        if costs:
            before, after = (sum(pair[i] for pair in costs) for i in (0, 1))
            text += f"; multiply-adds {counted(before)} -> {counted(after)}"
        return text

    def __rich__(self) -> "Group":
        """The same with a table, for `rich.print`."""
        from rich.console import Group
        from rich.table import Table

        cells = [list(_cells(row)) for row in self.converted]
        wanted = [i for i in range(len(_COLUMNS)) if any(row[i] for row in cells)]
        table = Table()
        for i in wanted:
            table.add_column(_COLUMNS[i], overflow="fold")
        for row in cells:
            table.add_row(*[row[i] for i in wanted])
        return Group(table, *[_line(row) for row in self.left], self._summary())


@dataclass(frozen=True)
class Swap:
    """A module, and what stands in its place."""

    names: list[str]
    before: nn.Module
    after: nn.Module


def _line(row: Row) -> str:
    start = f"{row.name or '(the model)'}: {row.was} "
    if row.reason:
        return wrapped(f"{start}left alone: {row.reason}")
    pairs = list(zip(_COLUMNS, _cells(row), strict=True))[2:]
    words = (f"{name} {cell}" for name, cell in pairs if cell and name not in _UNNAMED)
    text = "; ".join([row.becomes, *filter(None, (row.grid, row.note)), *words])
    return wrapped(f"{start}-> {text}")


def _cells(row: Row) -> Iterator[str]:
    yield row.name or "(the model)"
    yield row.was
    yield row.scale
    yield row.grid
    yield "" if row.error is None else f"{row.error:.1e}"
    for pair in (row.parameters, row.multiply_adds):
        yield "" if pair is None else " -> ".join(map(counted, pair))
    yield "" if row.out_shape is None else " x ".join(map(str, row.out_shape))
    yield row.note
