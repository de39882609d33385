"""Whether an ONNX file computes what the network does, at several sizes."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from contconv.export.intermediate import difference, layer_that_differs, session
from contconv.export.traced import TracedCall

Shape = tuple[int, ...]


def require(*packages: str) -> None:
    """Raise ModuleNotFoundError for the first that is not installed."""
    for name in packages:
        if find_spec(name) is None:
            raise ModuleNotFoundError(
                f"{name} is not installed, which to_onnx needs; install it with "
                f"'pip install {' '.join(packages)}'",
                name=name,
            )


def around(example: Tensor) -> list[Shape]:
    """The example's size, and eight from half of it on, with all remainders by 8."""
    axes = list(enumerate(example.shape[2:]))
    # Each axis in steps of its own, so that they have other remainders.
    near = [tuple(n // 2 + 1 + i * (2 * a + 1) for a, n in axes) for i in range(8)]
    return [tuple(example.shape[2:]), *near]


@torch.no_grad()
def verify(
    content: bytes,
    call: TracedCall,
    example: Tensor,
    batches: Sequence[int],
    sizes: Sequence[Shape],
    tolerance: float,
) -> None:
    """Run a graph and the model on random images of these sizes.

    Raises:
        ValueError: If one cannot run, or they differ by more than the tolerance, as a
            part of the largest value; the message has the size, the error, and the
            first layer that differs.
    """
    generator = torch.Generator().manual_seed(0)
    run = session(content)
    for i, shape in enumerate(sizes):
        batch = batches[i % len(batches)]
        image = torch.rand((batch, example.shape[1], *shape), generator=generator)
        # 1 to 3 times the size: networks that only enlarge take that, too.
        out = tuple(n * (2 + i % 5) // 2 + axis for axis, n in enumerate(shape))
        args = call.args(image.to(example), out)
        where = f"an input of {shape}" + (f" and an output of {out}" * call.sized)
        try:
            expected = call(*args).cpu()
        except Exception as error:
            raise ValueError(
                f"the model cannot be verified at {where} pixels: {error}; pass sizes= "
                "that it takes"
            ) from error
        found = _compared(run, args, expected, tolerance)
        if found is not None:
            what, way_out = found
            layer = layer_that_differs(content, call, args, tolerance)
            first = "" if layer is None else f", first in layer {layer!r}"
            raise ValueError(f"{what}, on {where} pixels{first}; {way_out}")


def _compared(
    run: Any, args: tuple[Any, ...], expected: Tensor, tolerance: float
) -> tuple[str, str] | None:
    """What is wrong with what the graph gives, and the way out; None if nothing is."""
    try:
        actual = run(args)[0]
    except Exception as error:
        way_out = "give the model operations that work at every size"
        return f"ONNX Runtime cannot run the graph ({error})", way_out
    if actual.shape != expected.shape:
        shapes = tuple(actual.shape), tuple(expected.shape)
        what = "the graph gives {} where the model gives {}".format(*shapes)
        return what, "is its forward the same for all sizes?"
    error = difference(actual, expected)
    if error <= tolerance:
        return None
    what = f"the graph differs from the model by {error:.2g} of the largest value"
    return what, f"tolerance is {tolerance:g}; raise it, or use float64"
