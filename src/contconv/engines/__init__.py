"""Engines: the ways to compute the operator, and the choice between them."""

from math import prod

import torch

from contconv._grid.grid import AxisGrid
from contconv._runtime.autograd import constant_in_graphs, has_symbolic_sizes
from contconv.engines import periodic, reference, trial
from contconv.engines.factored import engine as factored_engine
from contconv.engines.fused import engine as fused_engine
from contconv.engines.native import engine as native_engine
from contconv.engines.problem import Cost as Cost
from contconv.engines.problem import Engine as Engine
from contconv.engines.problem import Problem as Problem
from contconv.engines.separable import engine as separable_engine

# The only place an engine is listed; at equal cost the first is taken.
ENGINES: dict[str, Engine] = {
    "native": native_engine,
    "periodic": periodic,
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
    """The engine of that name, or the fastest one for "auto"; and its cost.

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
    if not exported and not native_engine.unsupported(problem):
        return native_engine
    # Not asked in exports: their sizes may not be compared.
    few_phases = (
        not exported
        and isinstance(grid, AxisGrid)
        and prod([axis.up for axis in grid.axes]) <= 16
    )
    if few_phases:
        return periodic
    able = not exported and not fused_engine.unsupported(problem)
    if able and not _fused_fails(*trial.kind_of(problem)):
        return fused_engine
    if exported or separable_engine.unsupported(problem):
        return factored_engine
    return separable_engine


def _fastest(problem: Problem) -> tuple[Engine, Cost]:
    if native_engine.is_by_axes(problem) and not native_engine.unsupported(problem):
        # It is rarely beaten there, so that what the others cost is not asked.
        return native_engine, native_engine.cost(problem)
    able = [engine for engine in ENGINES.values() if not engine.unsupported(problem)]
    costs = [(engine, engine.cost(problem)) for engine in able]
    best = min(costs, key=lambda pair: pair[1].time)
    if best[0] is fused_engine and _fused_fails(*trial.kind_of(problem)):
        others = (pair for pair in costs if pair[0] is not fused_engine)
        return min(others, key=lambda pair: pair[1].time)
    return best


@constant_in_graphs
def _fused_fails(
    device: str, dtype: torch.dtype, separable: bool, learns: bool, grouped: bool
) -> bool:
    """Whether the fused engine fails on a device: it has run on none of ours."""
    kind = trial.Kind(device, dtype, separable, learns, grouped)
    return trial.failure("fused", fused_engine, kind) is not None
