"""Engines: one operator, several ways to compute it; the list, and the choice."""

from contconv.engines import factored, reference
from contconv.engines._contract import Cost as Cost
from contconv.engines._contract import Engine as Engine
from contconv.engines._contract import Problem as Problem

# The only place an engine is listed; at equal cost the first is taken.
ENGINES: dict[str, Engine] = {"factored": factored, "reference": reference}


def check_engine(name: str) -> None:
    """Raise ValueError unless ``name`` is an engine or "auto"."""
    if not isinstance(name, str) or name not in ("auto", *ENGINES):
        raise ValueError(
            f"unknown engine {name!r}; choose 'auto' or one of {sorted(ENGINES)}"
        )


def choose(problem: Problem, engine: str) -> Engine:
    """The engine of that name, or with "auto" the cheapest that can run the problem.

    Raises:
        ValueError: If the named engine cannot run it, with the reasons.
    """
    if engine == "auto":
        able = [e for e in ENGINES.values() if not e.unsupported(problem)]
        return min(able, key=lambda e: e.cost(problem).multiply_adds)
    if reasons := ENGINES[engine].unsupported(problem):
        raise ValueError(f"engine {engine!r} cannot run this: " + "; ".join(reasons))
    return ENGINES[engine]
