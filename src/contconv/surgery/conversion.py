"""Conversion: what was replaced, what was left alone and why; and the way back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from torch import nn

from contconv._grid.grid import resized_axes
from contconv._grid.placement import Placement
from contconv._runtime.text import counted, times, wrapped
from contconv.nn.observe import Shape
from contconv.surgery.discrete import Discrete
from contconv.surgery.replace import swap


def grid_text(placements: Sequence[Placement]) -> str:
    """How the axes of a grid lie: once if it is the same for all."""
    return times(dict.fromkeys(map(str, placements)))


def off_centre(discrete: Discrete, before: Shape, after: Shape) -> str:
    """How far the grid is off the centre of this input."""
    axes = len(discrete.kernel_size)
    scale, sizes, in_sizes = discrete.scale, after[-axes:], before[-axes:]
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
    return times(once) + " px off centre"


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
    """What `convert` or `gradual` did, or would do; ``print`` shows each layer.

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

    def __repr__(self) -> str:
        """The sums alone; ``print`` shows the layers."""
        return f"<Conversion: {self._summary()}>"

    def __str__(self) -> str:
        """A line or more for each layer, and the sums."""
        lines = [_line(row) for row in self.rows]
        renamed = any(row.error is not None for row in self.converted)
        note = (
            "; their weights are the parameter kernel.head now, which rules for names "
            "that end in weight, such as those of weight decay, have to include"
        )
        note = note if renamed else ""
        return "\n".join([*lines, wrapped(self._summary() + note)])

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
    return wrapped(f"{start}-> {'; '.join(filter(None, _words(row)))}")


def _words(row: Row) -> Iterator[str]:
    """What is said of a layer that is replaced; some of it may be empty."""
    yield row.becomes
    yield row.scale and f"scale {row.scale}"
    yield row.grid
    yield row.note
    yield "" if row.error is None else f"error {row.error:.1e}"
    pairs = {"parameters": row.parameters, "multiply-adds": row.multiply_adds}
    for name, pair in pairs.items():
        yield "" if pair is None else f"{name} {' -> '.join(map(counted, pair))}"
    yield "" if row.out_shape is None else f"output {times(row.out_shape)}"
