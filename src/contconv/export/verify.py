"""Whether an ONNX file computes what the network does, at several sizes."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

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
    """Five sizes, of half to twice the example's."""
    rules = [
        lambda n: n,
        lambda n: n + 1,
        lambda n: n // 2 + 1,
        lambda n: 2 * n + 1,
        lambda n: 3 * n // 2,
    ]
    # Each axis takes another rule, so that not all grow at once.
    return [
        tuple(rules[(i + axis) % 5](n) for axis, n in enumerate(example.shape[2:]))
        for i in range(5)
    ]


@torch.no_grad()
def verify(
    path: Path,
    call: TracedCall,
    example: Tensor,
    sizes: Sequence[Shape],
    tolerance: float,
) -> None:
    """Run a file and the model on random images of these sizes.

    Raises:
        ValueError: If one cannot run, or they differ by more than the tolerance, as a
            part of the largest value; the message has the size and the error.
    """
    generator = torch.Generator().manual_seed(0)
    run = _runner(path)
    for i, shape in enumerate(sizes):
        image = torch.rand((*example.shape[:2], *shape), generator=generator)
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
        _compare(run, args, expected, where, tolerance)


def _compare(
    run: Any, args: tuple[Any, ...], expected: Tensor, where: str, tolerance: float
) -> None:
    try:
        actual = run(args)
    except Exception as error:
        raise ValueError(
            f"ONNX Runtime cannot run the graph on {where} pixels: {error}"
        ) from error
    if actual.shape != expected.shape:
        raise ValueError(
            f"the graph gives {tuple(actual.shape)} where the model gives "
            f"{tuple(expected.shape)}, on {where} pixels; is its forward the same for "
            "all sizes?"
        )
    largest = expected.double().abs().max()
    error = ((actual.double() - expected.double()).abs().max() / largest).item()
    if not error <= tolerance:
        raise ValueError(
            f"the graph differs from the model by {error:.2g} of the largest value, on "
            f"{where} pixels, and tolerance is {tolerance:g}; raise it, or use float64"
        )


def _runner(path: Path) -> Any:
    """A function that runs the file on the arguments of `TracedCall.forward`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it raises, it need not print
    providers = ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        raise ValueError(f"ONNX Runtime cannot load the graph: {error}") from error
    names = [one.name for one in session.get_inputs()]

    def run(args: tuple[Any, ...]) -> Tensor:
        arrays = [torch.as_tensor(one).cpu().numpy() for one in args]
        feed = dict(zip(names, arrays, strict=True))
        return torch.from_numpy(session.run(None, feed)[0])

    return run
