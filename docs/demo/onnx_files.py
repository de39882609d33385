"""The graphs of the demo as ONNX files, verified against the network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from graphs import BLOCK, Encoder, Filters, Head, Tables, tables
from torch import Tensor, nn

from contconv._grid.axis import Axis
from contconv._grid.grid import resized_axes
from contconv.export.onnx import _quiet
from contconv.models.superres import SuperResolutionNet
from contconv.models.superres.network import target
from contconv.models.superres.upsampler import enlarged

# Largest difference to the network, of values in 0..1: a twentieth of a grey level.
TOLERANCE = 2e-4

# Tensors with fewer numbers stay as they are.
_LARGE = 256


@torch.no_grad()
def write(net: SuperResolutionNet, folder: Path) -> dict[str, Any]:
    """Write the three graphs, verified, and return what the page has to know of them.

    Raises:
        ValueError: If a graph does not give what the network gives.
    """
    net = net.eval().requires_grad_(False)
    image, out = torch.rand(1, 3, 21, 26), (45, 61)
    axes = _axes(net, image, out)
    dynamic, static = torch.export.Dim.DYNAMIC, torch.export.Dim.STATIC
    features, given = _features(net, image, tables(axes))
    pixel = torch.tensor([axis.down / axis.up for axis in axes])
    head = (features, *given.x, *given.y, pixel)
    free = [dict.fromkeys(range(one.ndim), dynamic) for one in head]
    free[0][2] = static
    free[-1] = {}
    filters = Filters(net)
    near = (torch.rand(5), torch.rand(7), pixel)
    with _quiet():
        _save(Encoder(net), (image,), [{2: dynamic, 3: dynamic}], folder / "encoder")
        _save(Head(net), head, free, folder / "head")
        _save(filters, near, [{0: dynamic}, {0: dynamic}, {}], folder / "kernel")
    _verify(net, folder)
    (support, _), channels = net.kernel.kernel.kernel_size, net.encoder.channels
    return {
        "channels": channels,
        "support": support,
        "reach": net.encoder.reach,
        "block": BLOCK,
        "parameters": sum(one.numel() for one in net.parameters()),
        "pairs": torch.stack([filters.inputs, filters.outputs], 1).tolist(),
    }


def _axes(
    net: SuperResolutionNet, image: Tensor, out: tuple[int, int]
) -> tuple[Axis, Axis]:
    y, x = resized_axes(image.shape[2:], net.kernel.kernel.kernel_size, None, out)
    return y, x


def _features(
    net: SuperResolutionNet, image: Tensor, given: Tables
) -> tuple[Tensor, Tables]:
    """The features of a picture in the window that the tables count from."""
    features = Encoder(net)(image)
    (top, left), (height, width) = given.low, given.shape
    rows, columns = features.shape[:2]
    window = features.new_zeros(height, width, features.shape[2])
    window[-top : rows - top, -left : columns - left] = features[
        : height + top, : width + left
    ]
    return window, given


def _save(
    module: nn.Module, args: tuple[Tensor, ...], free: list[Any], path: Path
) -> None:
    program = torch.onnx.export(
        module,
        args,
        dynamo=True,
        verbose=False,
        input_names=list(_names(module)),
        output_names=["output"],
        dynamic_shapes=free,
    )
    assert program is not None
    model = program.model_proto
    _halve(model)
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.save(model, path.with_suffix(".onnx"))


def _names(module: nn.Module) -> Iterator[str]:
    code = type(module).forward.__code__
    yield from code.co_varnames[1 : code.co_argcount]


def _halve(model: onnx.ModelProto) -> None:
    """Store large tensors in half precision, in which the weights ship; losslessly."""
    casts = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        half = values.astype("float16")
        if values.dtype == "float32" and values.size > _LARGE:
            if not (half.astype("float32") == values).all():
                continue
            name = tensor.name
            tensor.CopyFrom(onnx.numpy_helper.from_array(half, name + ".half"))
            to = onnx.TensorProto.FLOAT
            casts.append(onnx.helper.make_node("Cast", [name + ".half"], [name], to=to))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _verify(net: SuperResolutionNet, folder: Path) -> None:
    """Run the graphs at other sizes than those of the example, ties among them."""
    encoder, head, kernel = (
        _session(folder / f"{name}.onnx") for name in ("encoder", "head", "kernel")
    )
    generator = torch.Generator().manual_seed(0)
    for shape, out in [
        ((37, 18), (111, 18)),
        ((16, 33), (43, 90)),
        ((5, 4), (40, 13)),
    ]:
        image = torch.rand(1, 3, *shape, generator=generator)
        axes = _axes(net, image, out)
        given = tables(axes)
        features, _ = _features(net, image, given)
        [made] = encoder.run(None, {"image": image.numpy()})
        _require("encoder", torch.from_numpy(made), Encoder(net)(image))
        pixel = torch.tensor([axis.down / axis.up for axis in axes])
        args = (features, *given.x, *given.y, pixel)
        names = [one.name for one in head.get_inputs()]
        feed = {k: v.numpy() for k, v in zip(names, args, strict=True)}
        [made] = head.run(None, feed)
        ratios, size = target(image, None, out)
        rest = net(image, size=out) - enlarged(image, ratios, size)
        _require("head", torch.from_numpy(made), rest[0])
        y, x = torch.rand(2, 9, generator=generator) * 4 - 2
        near = {"y": y.numpy(), "x": x.numpy(), "pixel": pixel.numpy()}
        [made] = kernel.run(None, near)
        _require("kernel", torch.from_numpy(made), _shown(net, y, x, ratios))


def _shown(net: SuperResolutionNet, y: Tensor, x: Tensor, ratios: Any) -> Tensor:
    """The filters of the page, as the library evaluates them."""
    filters, (kernel, _) = Filters(net), net.kernel.at(ratios)
    distances = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1)
    weights = kernel(distances)[:, :, filters.outputs, filters.inputs]
    return weights.permute(2, 0, 1)


def _require(name: str, made: Tensor, expected: Tensor) -> None:
    error = (made - expected).abs().max().item()
    if not error <= TOLERANCE:
        raise ValueError(
            f"the graph of the {name} differs from the network by {error:.2g}, which "
            f"must be at most {TOLERANCE:g}; is factors_at what its kernel does?"
        )


def _session(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(path)
