"""Explanation: the engines for one convolution, and how it is printed."""

from collections.abc import Iterator
from dataclasses import dataclass

from contconv._runtime.text import aligned, counted, readable, spent_time, wrapped
from contconv.engines import Cost

_NOTE = (
    "Estimates, to compare engines with each other: the times are for float32 on two "
    "CPU cores; the memory is that of intermediate tensors, beside input and output."
)


@dataclass(frozen=True)
class Candidate:
    """What one engine would do with a convolution."""

    reasons: list[str]  # why it cannot run this; empty if it can
    cost: Cost | None  # None if it cannot
    shortage: str | None  # the error where memory is too small for it; None if it fits


@dataclass(frozen=True)
class Explanation:
    """What each engine would take for one convolution; ``print`` shows a table.

    - ``engine``: the engine that ``engine="auto"`` takes.
    - ``engines``: every engine by its name, with three attributes. ``reasons`` says why
      it cannot run this, and is empty if it can. ``cost`` is what it would spend:
      ``multiply_adds``, ``memory`` for intermediate tensors in bytes, and an estimated
      ``time`` in nanoseconds; None if it cannot run this. ``shortage`` is the error of
      `continuous_conv` if memory is too small for it, else None.
    - ``input_shape``, ``output_shape``: as of the tensors.
    - ``problem``: what is computed, in four lines of words.
    """

    engine: str
    engines: dict[str, Candidate]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    problem: str

    @property
    def cost(self) -> Cost:
        """What the engine of ``engine="auto"`` would spend."""
        cost = self.engines[self.engine].cost
        assert cost is not None  # the chosen engine can run
        return cost

    def __repr__(self) -> str:
        """The choice alone; ``print`` shows all engines."""
        ends = f"{self.input_shape} -> {self.output_shape}"
        return f"<Explanation: {ends} by {self.engine!r}>"

    def __str__(self) -> str:
        """The problem, the engines from fast to slow, and the choice."""
        rows, choice = "\n".join(_rows(self)), wrapped(_choice(self))
        return f"{self.problem}\n\n{rows}\n\n{choice}\n{wrapped(_NOTE)}"


COSTS = ("time", "multiply-adds", "memory")


def cost_words(cost: Cost) -> tuple[str, str, str]:
    """Time, multiply-adds and memory, in three digits each."""
    return spent_time(cost.time), counted(cost.multiply_adds), readable(cost.memory)


def _rows(explanation: Explanation) -> Iterator[str]:
    """A line for each engine: the choice, others by time, those that cannot run."""
    able = {n: one for n, one in explanation.engines.items() if one.cost is not None}
    rows = [("  engine", *COSTS, "")]
    order = sorted(able, key=lambda n: (n != explanation.engine, able[n].cost.time))  # type: ignore
    for name, one in ((name, able[name]) for name in order):
        end = "does not fit" if one.shortage else ""
        mark = "*" if name == explanation.engine else " "
        rows.append((f"{mark} {name}", *cost_words(one.cost), end))  # type: ignore
    yield from aligned(rows, COSTS)
    for name, one in explanation.engines.items():
        if one.cost is None:
            start = f"  {name:{max(map(len, explanation.engines))}}  "
            yield wrapped("cannot run: " + "; ".join(one.reasons), start)


def _choice(explanation: Explanation) -> str:
    """Which engine runs; or why it refuses, and which others would not."""
    name = explanation.engine
    shortage = explanation.engines[name].shortage
    if shortage is None:
        return f'* engine="auto" takes {name}.'
    text = f'* engine="auto" takes {name}, which refuses: {shortage}.'
    fitting = [
        f'engine="{other}"'
        for other, candidate in explanation.engines.items()
        if candidate.cost is not None and candidate.shortage is None
    ]
    return text + (f" It fits with {' or '.join(fitting)}." if fitting else "")
