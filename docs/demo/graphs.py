"""The network of `contconv upscale` as three ONNX graphs, which a browser runs.

``encoder``: a part of a picture to its features. ``head``: features to what cubic
resizing lacks, at any scale; which features an output pixel takes, and at which
distances, are inputs, from whole numbers (``grid.js``). ``kernel``: some filters at any
distances.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import torch
from torch import Tensor, nn

from contconv._grid.axis import Axis
from contconv._grid.grid import resized_axes
from contconv._grid.taps import weigh
from contconv.export.onnx import _quiet
from contconv.kernels import SeparableKernel
from contconv.models.superres import SuperResolutionNet
from contconv.models.superres.network import enlarged, target

# Input rows that share their products with the filters of the second axis.
BLOCK = 8

# Filters that the page shows.
PAIRS = 6

# Largest difference to the network, of values in 0..1: a twentieth of a grey level.
TOLERANCE = 2e-4

# Tensors with fewer numbers stay as they are.
_LARGE = 256


class Encoder(nn.Module):
    """Features with their channels last, ``[h, w, c]``."""

    def __init__(self, net: SuperResolutionNet) -> None:
        super().__init__()
        self.encoder = net.encoder

    def forward(self, image: Tensor) -> Tensor:
        return self.encoder(image)[0].permute(1, 2, 0)


class Head(nn.Module):
    """The continuous convolution and what follows, of a window of the features.

    Columns first: each output column has a filter of its own, with the channels in it.
    Then rows, in blocks of them, with one filter for all channels.
    """

    def __init__(self, net: SuperResolutionNet) -> None:
        super().__init__()
        self.kernel, self.refine = net.kernel, net.refine

    def forward(
        self,
        features: Tensor,
        x_source: Tensor,
        x_distance: Tensor,
        x_weight: Tensor,
        y_source: Tensor,
        y_distance: Tensor,
        y_weight: Tensor,
        y_rows: Tensor,
        pixel: Tensor,
    ) -> Tensor:
        """What cubic resizing lacks, ``[3, rows, columns]``.

        Args:
            features: ``[h, w, c]``.
            x_source: ``[columns, taps]``: columns of the features.
            x_distance: ``[columns, taps]``: their distances.
            x_weight: ``[columns, taps]``: 1, 1/2 on the edge of the support, or 0.
            y_source: ``[blocks, r]``: rows of the features.
            y_distance: ``[blocks, most, r]``: distances of each block's output rows.
            y_weight: ``[blocks, most, r]``.
            y_rows: ``[rows]``: which of ``blocks * most`` they are.
            pixel: ``[2]``: 1 / scale, of y and x.
        """
        basis = self.kernel.kernel
        assert isinstance(basis, SeparableKernel)
        functions, outputs, bias = factors_at(self.kernel, pixel)
        head = basis.head * functions * outputs[:, None, None]
        rank_y, rank_x = basis.axis_rank(0), basis.axis_rank(1)
        outs, channels, _ = head.shape
        columns, taps = x_distance.shape
        blocks, most, reached = y_distance.shape
        rows = features.shape[0]

        head = head.reshape(outs, channels, rank_y, rank_x).permute(3, 1, 2, 0)
        x = basis.axis_basis(x_distance, 1) * x_weight[..., None]
        filters = x.reshape(columns * taps, rank_x) @ head.reshape(rank_x, -1)
        filters = filters.reshape(columns, taps * channels, rank_y * outs)
        near = features.index_select(1, x_source.reshape(-1))
        near = near.reshape(rows, columns, taps * channels).permute(1, 0, 2)
        mixed = (near @ filters).permute(1, 2, 0)  # rows, rank_y * outs, columns

        y = basis.axis_basis(y_distance, 0) * y_weight[..., None]
        y = y.reshape(blocks, most, reached * rank_y)
        mixed = mixed.index_select(0, y_source.reshape(-1))
        out = y @ mixed.reshape(blocks, reached * rank_y, outs * columns)
        out = out.reshape(blocks * most, outs, columns).index_select(0, y_rows)
        return self.refine(out.permute(1, 0, 2)[None] + bias[:, None, None])[0]


class Filters(nn.Module):
    """Some filters of the continuous layer, the largest of different outputs."""

    def __init__(self, net: SuperResolutionNet) -> None:
        super().__init__()
        self.kernel = net.kernel
        size = net.kernel.kernel.head.norm(dim=2)
        self.outputs = size.amax(1).argsort(descending=True)[:PAIRS]
        self.inputs = size[self.outputs].argmax(1)
        self.head = net.kernel.kernel.head[self.outputs, self.inputs].clone()

    def forward(self, y: Tensor, x: Tensor, pixel: Tensor) -> Tensor:
        """The filters ``[pairs, n, m]`` at distances ``y [n]`` and ``x [m]``."""
        basis = self.kernel.kernel
        assert isinstance(basis, SeparableKernel)
        functions, outputs, _ = factors_at(self.kernel, pixel)
        head = self.head * functions * outputs[self.outputs, None]
        head = head.unflatten(1, (basis.axis_rank(0), basis.axis_rank(1)))
        return basis.axis_basis(y, 0) @ head @ basis.axis_basis(x, 1).T


def factors_at(kernel: Any, pixel: Tensor) -> tuple[Tensor, ...]:
    """Factors of the functions and of the outputs, and the bias, at ``pixel [2]``."""
    if not kernel.aware:
        pixel = torch.ones_like(pixel)
    functions, outputs, bias = kernel.factors(pixel).split(kernel._counts)
    return 1 + functions, 1 + outputs, bias


class Tables(NamedTuple):
    """The inputs of the head for a whole picture, and the part of it they count from.

    ``grid.js`` makes the same; `tests/browser` compares them.
    """

    x: tuple[Tensor, Tensor, Tensor]
    y: tuple[Tensor, Tensor, Tensor, Tensor]
    low: tuple[int, int]
    shape: tuple[int, int]


def tables(axes: tuple[Axis, Axis]) -> Tables:
    """What `Head` takes for these axes, of features with zeros around them."""
    (y_pixel, y_distance, y_weight), (x_pixel, x_distance, x_weight) = (
        _taps(axis) for axis in axes
    )
    low = (int(y_pixel.min()), int(x_pixel.min()))
    y = _blocks(y_pixel - low[0], y_distance, y_weight)
    shape = (int(y[0].max()) + 1, int(x_pixel.max()) - low[1] + 1)
    source = (x_pixel - low[1]).int()
    return Tables((source, x_distance, x_weight), y, low, shape)


def _taps(axis: Axis) -> tuple[Tensor, Tensor, Tensor]:
    n = torch.arange(axis.out_size)
    pixel = axis.first_neighbor(n)[:, None] + torch.arange(axis.taps)
    return pixel, *weigh(axis, n, pixel, torch.float32)


def _blocks(
    pixel: Tensor, distance: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Output rows by blocks of `BLOCK` first pixels, padded to as many in each."""
    taps = pixel.shape[1]
    block = pixel[:, 0] // BLOCK
    blocks, most = int(block.max()) + 1, int(block.bincount().max())
    reached = BLOCK + taps - 1
    source = torch.arange(blocks)[:, None] * BLOCK + torch.arange(reached)
    far, counts = torch.zeros(2, blocks, most, reached)
    place, rows = [0] * blocks, []
    for n, b in enumerate(block.tolist()):
        first = int(pixel[n, 0]) - b * BLOCK
        far[b, place[b], first : first + taps] = distance[n]
        counts[b, place[b], first : first + taps] = weight[n]
        rows.append(b * most + place[b])
        place[b] += 1
    return source.int(), far, counts, torch.tensor(rows).int()


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
