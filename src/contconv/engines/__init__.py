"""Engines: one operator, several ways to compute it; the list, and the choice."""

from math import prod

import torch

from contconv._grid.grid import AxisGrid
from contconv._runtime.autograd import has_symbolic_sizes
from contconv.engines import reference
from contconv.engines.factored import engine as factored_engine
from contconv.engines.fused import engine as fused_engine
from contconv.engines.periodic import engine as periodic_engine
from contconv.engines.problem import Cost as Cost
from contconv.engines.problem import Engine as Engine
from contconv.engines.problem import Problem as Problem
from contconv.engines.separable import engine as separable_engine

# The only place an engine is listed; at equal cost the first is taken.
ENGINES: dict[str, Engine] = {
    "periodic": periodic_engine,
    "fused": fused_engine,
    "separable": separable_engine,
    "factored": factored_engine,
    "reference": reference,
}


def check_engine(name: str) -> None:
    """Raise ValueError unless ``name`` is an engine or "auto"."""
    if not isinstance(name, str) or name not in ("auto", *ENGINES):
        raise ValueError(
            f"unknown engine {name!r}; choose 'auto' or one of {sorted(ENGINES)}"
        )


def choose(problem: Problem, engine: str) -> tuple[Engine, Cost]:
    """The engine of that name, or with "auto" the fastest; and what it will spend.

    Raises:
        ValueError: If the named engine cannot run it, with the reasons.
    """
    is_traced = has_symbolic_sizes()
    if engine == "auto":
        if is_traced:
            return _usual(problem), Cost(0, 0, 0)
        return _fastest(problem)
    chosen = ENGINES[engine]
    if reasons := chosen.unsupported(problem):
        raise ValueError(f"engine {engine!r} cannot run this: " + "; ".join(reasons))
    if is_traced:
        return chosen, Cost(0, 0, 0)
    return chosen, chosen.cost(problem)


def _usual(problem: Problem) -> Engine:
    """The engine for a graph, whatever the sizes: they may be symbols."""
    grid = problem.grid
    jit = has_symbolic_sizes() and not torch.compiler.is_compiling()
    exported = jit or torch.compiler.is_exporting()
    few_phases = isinstance(grid, AxisGrid) and (
        prod([axis.up for axis in grid.axes]) <= 16
    )
    if few_phases and not exported:
        return periodic_engine
    if not exported and not fused_engine.unsupported(problem):
        return fused_engine
    if exported or separable_engine.unsupported(problem):
        return factored_engine
    return separable_engine


def _fastest(problem: Problem) -> tuple[Engine, Cost]:
    best = None
    for engine in ENGINES.values():
        if engine.unsupported(problem):
            continue
        cost = engine.cost(problem)
        if best is None or cost.time < best[1].time:
            best = engine, cost
    assert best is not None  # the reference engine can run everything
    return best
