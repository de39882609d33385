"""Explanation: the engines for one convolution, and how it is printed."""

from collections.abc import Iterator
from dataclasses import dataclass

from contconv._runtime.text import counted, readable, spent_time, wrapped
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

    def __str__(self) -> str:
        """The problem, the engines from fast to slow, and the choice."""
        rows, choice = "\n".join(_rows(self)), wrapped(_choice(self))
        return f"{self.problem}\n\n{rows}\n\n{choice}\n{wrapped(_NOTE)}"


def _rows(explanation: Explanation) -> Iterator[str]:
    """A line for each engine: the fastest first, those that cannot run last."""
    width = max(map(len, explanation.engines))
    yield f"  {'engine':{width}}  {'time':>9}  {'multiply-adds':>13}  {'memory':>9}"
    able, unable = [], []
    for name, engine in explanation.engines.items():
        mark = "*" if name == explanation.engine else " "
        start = f"{mark} {name:{width}}  "
        if engine.cost is None:
            reasons = "cannot run: " + "; ".join(engine.reasons)
            unable.append(wrapped(reasons, start))
        else:
            end = "  does not fit" if engine.shortage else ""
            able.append((engine.cost.time, start + _numbers(engine.cost) + end))
    for _, line in sorted(able, key=lambda row: row[0]):
        yield line
    yield from unable


def _numbers(cost: Cost) -> str:
    time, count = spent_time(cost.time), counted(cost.multiply_adds)
    return f"{time:>9}  {count:>13}  {readable(cost.memory):>9}"


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
