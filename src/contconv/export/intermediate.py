"""What each layer of a network gives, and what its ONNX graph has there."""

import ast
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from contconv.export.traced import TracedCall
from contconv.nn.layer import ContinuousConv

# Where the exporter notes the modules that a node comes from: a list in Python's words.
_SCOPES = "pkg.torch.onnx.name_scopes"


def session(graph: bytes) -> Callable[[tuple[Any, ...]], list[Tensor]]:
    """A function that runs a graph on the arguments of `TracedCall.forward`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it raises, it need not print
    providers = ["CPUExecutionProvider"]
    try:
        found = onnxruntime.InferenceSession(graph, options, providers=providers)
    except Exception as error:
        raise ValueError(f"ONNX Runtime cannot load the graph: {error}") from error
    names = [one.name for one in found.get_inputs()]

    def run(args: tuple[Any, ...]) -> list[Tensor]:
        arrays = [torch.as_tensor(one).cpu().numpy() for one in args]
        feed = dict(zip(names, arrays, strict=True))
        return [torch.as_tensor(one) for one in found.run(None, feed)]

    return run


def difference(actual: Tensor, expected: Tensor) -> float:
    """The largest difference, as a part of the largest value; not a number if none."""
    largest = expected.double().abs().max()
    return ((actual.double() - expected.double()).abs().max() / largest).item()


def layer_that_differs(
    content: bytes, call: TracedCall, args: tuple[Any, ...], tolerance: float
) -> str | None:
    """The first layer that gives something else than its values in the graph.

    Returns:
        Its name in the model; None if the graph does not say, or cannot run.
    """
    import onnx

    graph = onnx.load_from_string(content)
    ends = _ends(graph.graph)
    expected = {n: v for n, v in _outputs(call, args).items() if n in ends}
    del graph.graph.output[:]
    for name in expected:
        graph.graph.output.append(onnx.ValueInfoProto(name=ends[name]))
    try:
        values = session(graph.SerializeToString())(args)
    except Exception:
        return None
    for (name, right), value in zip(expected.items(), values, strict=True):
        if value.shape != right.shape or not difference(value, right) <= tolerance:
            return name
    return None


def _ends(graph: Any) -> dict[str, str]:
    """The last value of each module in a graph, by the module's name in the model."""
    ends = {}
    for node in graph.node:
        noted = {one.key: one.value for one in node.metadata_props}
        for scope in ast.literal_eval(noted.get(_SCOPES, "[]"))[:-1]:
            if scope.startswith("model."):
                ends[scope.removeprefix("model.")] = node.output[0]
    return ends


@torch.no_grad()
def _outputs(call: TracedCall, args: tuple[Any, ...]) -> dict[str, Tensor]:
    """What each layer of the model gave last, in that order."""
    outputs: dict[str, Tensor] = {}
    handles = []
    for name, module in call.model.named_modules():
        if name and (isinstance(module, ContinuousConv) or not list(module.children())):
            handles.append(module.register_forward_hook(_noting(outputs, name)))
    try:
        call(*args)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def _noting(outputs: dict[str, Tensor], name: str) -> Callable[..., None]:
    def note(module: nn.Module, args: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            outputs.pop(name, None)
            outputs[name] = output.cpu()

    return note
