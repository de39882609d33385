"""Problems that every engine has to solve, each with something that breaks one."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from contconv.engines import ENGINES
from contconv.functional.call import as_call
from contconv.functional.conv import as_problem
from contconv.kernels import (
    ContinuousKernel,
    CosineKernel,
    CubicKernel,
    GaussianKernel,
    MLPKernel,
    SplineKernel,
)

# The engines of float64: those for GPUs and in C++ have tests of their own.
HERE = [name for name in ENGINES if name not in ("fused", "native")]


class Case(NamedTuple):
    """An image, a kernel, and how to apply it."""

    image: tuple[int, ...]
    kernel: Callable[[torch.dtype], ContinuousKernel]
    options: dict[str, Any]


def refusal(
    engine: str, image: Tensor, kernel: ContinuousKernel, options: dict[str, Any]
) -> list[str]:
    """Why an engine cannot run ``continuous_conv(image, kernel, **options)``."""
    call = as_call(image, kernel, **options)
    problem = as_problem(call.image, kernel, call.grid, call.groups)
    return ENGINES[engine].unsupported(problem)


def skip_refused(
    engine: str, image: Tensor, kernel: ContinuousKernel, options: dict[str, Any]
) -> None:
    """Skip the test if the engine refuses it; it has to accept some others."""
    if reasons := refusal(engine, image, kernel, options):
        pytest.skip("; ".join(reasons))


def cosine(*args: Any, **options: Any) -> Callable[[torch.dtype], ContinuousKernel]:
    return lambda dtype: CosineKernel(*args, **options, dtype=dtype)


def mlp(*args: Any, **options: Any) -> Callable[[torch.dtype], ContinuousKernel]:
    return lambda dtype: MLPKernel(*args, **options, widths=(8, 5), dtype=dtype)


CASES = {
    "irrational": Case((2, 3, 7, 5), cosine(3, 4, (3, 3)), {"scale": 0.7391}),
    "upscaling": Case((1, 2, 5, 7), cosine(2, 3, (3, 4)), {"scale": (2.17, 1.3)}),
    "mixed": Case((2, 2, 8, 3), cosine(2, 3, (4, 2)), {"scale": (0.31, 3.7)}),
    "ties": Case((1, 2, 6, 6), cosine(2, 3, (4, 4)), {"scale": 1}),
    "halving": Case((2, 2, 8, 8), cosine(2, 3, (4, 4)), {"scale": Fraction(1, 2)}),
    "doubling": Case((1, 2, 4, 5), mlp(2, 3, (3, 3)), {"scale": 2}),
    "sizes": Case((1, 2, 9, 4), mlp(2, 3, (5, 3)), {"size": (4, 11)}),
    "both": Case((1, 2, 9, 4), cosine(2, 3, (3, 3)), {"size": (5, 3), "scale": 0.6}),
    "tiny": Case((3, 2, 1, 2), cosine(2, 3, (5, 7)), {"scale": 2.3}),
    "empty": Case((0, 2, 6, 6), cosine(2, 3, (3, 3)), {"scale": 0.7}),
    "grouped": Case(
        (2, 6, 6, 7), cosine(6, 4, (3, 3), groups=2), {"scale": 1.4, "groups": 2}
    ),
    "depthwise": Case(
        (2, 4, 6, 7), mlp(4, 4, (3, 3), groups=4), {"scale": 0.6, "groups": 4}
    ),
    "shared": Case((2, 3, 6, 7), cosine(1, 1, (4, 4)), {"scale": 0.8}),
    "classical": Case((2, 3, 6, 7), lambda _: CubicKernel(), {"scale": 1.7}),
    "gaussian": Case(
        (1, 2, 9, 7), lambda _: GaussianKernel([[2.0, 1.0], [1.0, 1.0]]), {"size": 5}
    ),
    "edge": Case(
        (1, 2, 9, 8), cosine(2, 3, (3, 4)), {"scale": (0.4, 1.7), "align": "edge"}
    ),
    "first": Case(
        (2, 2, 7, 9), cosine(2, 2, (4, 3)), {"scale": (1.5, 0.75), "align": "first"}
    ),
    "antialias": Case(
        (1, 2, 11, 9), cosine(2, 2, (3, 3)), {"scale": (0.37, 1.2), "antialias": True}
    ),
    "frequencies": Case(
        (1, 2, 6, 6), cosine(2, 3, (3, 3), frequencies=(5, 2)), {"scale": 0.9}
    ),
    "spline": Case(
        (2, 3, 7, 6),
        lambda dtype: SplineKernel(3, 4, (5, 4), dtype=dtype),
        {"scale": (0.71, 1.3)},
    ),
    "1d": Case((2, 3, 13), cosine(3, 2, (5,)), {"scale": 1.618}),
    "3d": Case((1, 2, 3, 4, 5), cosine(2, 2, (3, 2, 3)), {"scale": (1.5, 0.7, 1)}),
    "points": Case(
        (2, 2, 6, 5), cosine(2, 3, (3, 3)), {"points": 5 * torch.rand(4, 3, 2)}
    ),
    "points each": Case(
        (2, 2, 6, 5), mlp(2, 3, (4, 4)), {"points": 9 * torch.rand(2, 3, 2, 2) - 2}
    ),
    "points shared": Case(
        (2, 3, 6, 5), cosine(1, 1, (3, 3)), {"points": 5 * torch.rand(2, 4, 3, 2)}
    ),
}
