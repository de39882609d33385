"""A trial: a small problem on which an engine and the reference have to agree.

An engine that no machine of the developers can run is tried once per process, device
and kind of problem, before ``engine="auto"`` takes it.
"""

import warnings
from copy import deepcopy
from threading import Lock
from typing import Any, NamedTuple

import torch
from torch import Tensor

from contconv._grid.grid import AxisGrid, resized_axes
from contconv._grid.ratio import as_ratios
from contconv._runtime.autocast import no_autocast
from contconv.engines import reference
from contconv.engines.problem import Engine, Problem
from contconv.kernels import CosineKernel, MLPKernel
from contconv.kernels.base import is_separable

# Of the reference's own error in the same dtype; and of its rounding, where that is 0.
# In bfloat16, 64 of them would be half of the largest number.
_ALLOWED, _ALLOWED_ROUNDINGS, _OF_16_BITS = 4, 64, 6

_CHANNELS, _SHAPE, _SCALE = 16, (9, 10), 0.7391


class Kind(NamedTuple):
    """The kind of problem that a trial stands for."""

    device: str
    dtype: torch.dtype
    separable: bool
    learns: bool
    grouped: bool = False


_failures: dict[tuple[str, Kind], str | None] = {}
_lock = Lock()


def kind_of(problem: Problem) -> Kind:
    """The kind of a problem."""
    separable = is_separable(problem.kernel)
    separable = separable and isinstance(problem.grid, AxisGrid)
    image = problem.image
    grouped = problem.groups > 1
    return Kind(str(image.device), image.dtype, separable, problem.learns, grouped)


def known_failure(name: str, problem: Problem) -> str | None:
    """Why the engine of that name failed the trial of this kind, if it did."""
    return _failures.get((name, kind_of(problem)))


def failure(name: str, engine: Engine, kind: Kind) -> str | None:
    """Why an engine fails a trial; None if it agrees with the reference.

    It is tried once; where it fails, one warning says so.
    """
    with _lock:
        if (name, kind) not in _failures:
            found = _failures[name, kind] = _tried(engine, kind)
            if found is not None:
                _warn(name, kind, found)
        return _failures[name, kind]


def _warn(name: str, kind: Kind, found: str) -> None:
    warnings.warn(
        f"contconv's engine {name!r} failed its trial on {kind.device} for "
        f"{str(kind.dtype).removeprefix('torch.')}: {found}. PyTorch's operators are "
        "used instead, which are slower; please report this message together with what "
        "`python -m contconv.info` prints",
        RuntimeWarning,
        stacklevel=4,
    )


def _tried(engine: Engine, kind: Kind) -> str | None:
    device = torch.device(kind.device)
    devices = [device] if device.type == "cuda" else []
    try:
        with (
            torch.inference_mode(False),
            torch.set_grad_enabled(kind.learns),
            torch.random.fork_rng(devices),
            no_autocast(device.type),
        ):
            problem = _problem(kind, device)
            if reasons := engine.unsupported(problem):
                return "; ".join(reasons)
            return _disagreement(engine, problem)
    except Exception as error:  # whatever a compiler or a driver raises
        return f"{type(error).__name__}: {str(error)[:300]}"


def _problem(kind: Kind, device: torch.device) -> Problem:
    options: dict[str, Any] = {"dtype": kind.dtype, "device": device}
    kernel_type = CosineKernel if kind.separable else MLPKernel
    groups = 2 if kind.grouped else 1
    kernel = kernel_type(_CHANNELS, _CHANNELS, (3, 3), groups=groups, **options)
    image = torch.randn(2, _CHANNELS, *_SHAPE, **options, requires_grad=kind.learns)
    axes = resized_axes(_SHAPE, (3, 3), as_ratios(_SCALE, 2), None)
    return Problem(image, kernel, AxisGrid(axes, "zeros"), groups)


def _disagreement(engine: Engine, problem: Problem) -> str | None:
    exact = Problem(
        problem.image.detach().double().requires_grad_(problem.image.requires_grad),
        _doubled(problem),
        problem.grid,
        problem.groups,
    )
    expected = _results(reference, exact)
    own, found = _results(reference, problem), _results(engine, problem)
    kind = torch.finfo(problem.image.dtype)
    roundings = (_OF_16_BITS if kind.bits == 16 else _ALLOWED_ROUNDINGS) * kind.eps
    for what, value in expected.items():
        size = value.abs().max().item()
        allowed = _ALLOWED * _distance(own[what], value)
        allowed += roundings * size
        distance = _distance(found[what], value)
        if not distance <= allowed:
            return f"the {what} is off by {distance:.3g}, its largest being {size:.3g}"
    return None


def _doubled(problem: Problem) -> CosineKernel | MLPKernel:
    return deepcopy(problem.kernel).double()  # type: ignore


def _results(engine: Engine, problem: Problem) -> dict[str, Tensor]:
    """The output, and the gradients if it learns."""
    out = engine.apply(problem)
    results = {"output": out.detach()}
    if problem.learns:
        leaves = {"image": problem.image, **dict(problem.kernel.named_parameters())}
        probe = torch.linspace(-1, 1, out.numel(), dtype=out.dtype, device=out.device)
        found = torch.autograd.grad(out, list(leaves.values()), probe.view(out.shape))
        names = (f"gradient to the {name}" for name in leaves)
        results.update(zip(names, found, strict=True))
    return results


def _distance(a: Tensor, b: Tensor) -> float:
    return (a.double() - b.double()).abs().max().item()
