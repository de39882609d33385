"""to_onnx: a network as an ONNX graph for any size, verified before it is there."""

import copy
import logging
import operator
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from contconv._files.whole import write_whole
from contconv._grid.ratio import Scale, Size
from contconv._runtime.arguments import as_sizes
from contconv._runtime.shapes import no_type_check
from contconv.export.layers import with_fixed_scales
from contconv.export.traced import TracedCall, exported
from contconv.export.verify import around, require, verify

# Bytes; the numbers of the format are signed ones of 32 bits.
_LARGEST = 2**31

_AXES = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@no_type_check
def to_onnx(
    model: nn.Module,
    path: str | Path,
    example: Tensor,
    *,
    scale: Scale | None = None,
    size: Size | str | None = None,
    sizes: Sequence[Size] | None = None,
    tolerance: float = 1e-5,
) -> None:
    """Write a network as an ONNX file that takes images of any size.

    The file is run with ONNX Runtime at several sizes, and is there only if it gives
    what the network gives. It needs ``pip install 'contconv[onnx]'``.

    Its input is named ``input``, its output ``output``. All axes but the channels may
    have any size; the batch, too, unless the network is written for that of the
    example. With ``size="input"`` the graph has inputs ``height`` and ``width``, too
    (``width`` alone, or ``depth`` first, with other numbers of axes): 64-bit whole
    numbers without axes, the output pixels. So one file resizes to any size.

    Args:
        model: A layer, or a network of one tensor ``[n, c, *size]``; it is exported in
            evaluation mode, and left as it is.
        path: The file to write.
        example: An input. Its sizes have no meaning, but must be at least 2, and should
            not be equal.
        scale: What the model is called with, as ``model(input, scale=scale)``; then it
            is part of the graph. Unless given, the model's own scales are.
        size: The same, or ``"input"``, which calls ``model(input, size=...)``.
        sizes: Sizes of inputs at which the file is verified; unless given, the
            example's, and eight from half of it on, with every remainder by 8. With
            ``size="input"``, outputs of 1 to 3 times these sizes.
        tolerance: The largest error allowed, as a part of the largest value of the
            output.

    Raises:
        ModuleNotFoundError: If onnx, onnxscript or onnxruntime is not installed.
        TypeError, ValueError: If an argument does not fit.
        ValueError: If PyTorch cannot export the model, ONNX Runtime cannot run the
            file, or its output differs; then nothing is left at ``path`` but what was
            there. The message names the step, the layer, and the way out.

    Example:
        >>> layer = ContinuousConv2d(3, 8, 3, scale=0.7)
        >>> to_onnx(layer, "layer.onnx", torch.rand(1, 3, 20, 30))  # doctest: +SKIP
    """
    _check(model, example, tolerance)
    require("onnx", "onnxscript", "onnxruntime")
    ndim = example.ndim - 2
    checks = [as_sizes(one, ndim, "sizes") for one in sizes or around(example)]
    call = TracedCall(with_fixed_scales(copy.deepcopy(model)).eval(), scale, size)

    def fill(file: BinaryIO) -> None:
        content, batches = _graph(call, example)
        verify(content, call, example, batches, checks, tolerance)
        file.write(content)

    write_whole(Path(path), fill)


def _check(model: Any, example: Any, tolerance: Any) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a module, got {type(model).__name__}")
    if not isinstance(example, Tensor):
        raise TypeError(f"example must be a tensor, got {type(example).__name__}")
    if example.dtype not in (torch.float16, torch.float32, torch.float64):
        raise TypeError(
            "example must be a tensor of float16, float32 or float64, which ONNX "
            f"Runtime computes with, got {example.dtype}; convert it and the model"
        )
    if not 3 <= example.ndim <= 5 or min(example.shape[2:]) < 2:
        raise ValueError(
            "example must be [n, c, *size] with 1 to 3 axes of at least 2 pixels, got "
            f"{tuple(example.shape)}"
        )
    tensors = [*model.parameters(), *model.buffers()]
    held = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if held >= _LARGEST:
        raise ValueError(
            f"model has {held / 2**30:.1f} GiB of parameters, and an ONNX file holds "
            "less than 2 GiB; export parts of it, or in half precision"
        )
    if not tolerance > 0:
        raise ValueError(f"tolerance must be above 0, got {tolerance}")


@torch.no_grad()
def _graph(call: TracedCall, example: Tensor) -> tuple[bytes, tuple[int, ...]]:
    """The content of the file, and batches that it takes."""
    ndim, batch = example.ndim - 2, len(example)
    names = _AXES[ndim] if call.sized else ()
    with _quiet():
        # What is exported with one image, is for one image.
        several = example if batch > 1 else torch.cat([example, example])
        program, batches = _program(call, several, Dim.AUTO), (batch, batch + 1)
        if not isinstance(_input(program).shape[0], torch.SymInt):
            program, batches = _program(call, example, Dim.STATIC), (batch,)
        try:
            written = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                input_names=["input", *names],
                output_names=["output"],
                custom_translation_table={operator.floordiv: _floor_division},
            )
        except Exception as error:
            raise ValueError(
                "PyTorch has no ONNX for a part of the model; replace that, or export "
                f"what is around it: {error}"
            ) from error
    assert written is not None
    return written.model_proto.SerializeToString(), batches


def _program(call: TracedCall, example: Tensor, batch: Any) -> ExportedProgram:
    """The graph of a call; the sizes of its images are free."""
    axes = range(2, example.ndim)
    shapes: list[Any] = [{0: batch, **dict.fromkeys(axes, Dim.DYNAMIC)}]
    shapes += [(Dim.DYNAMIC,) * len(axes)] if call.sized else []
    args = call.args(example, tuple(2 * n + 1 for n in example.shape[2:]))
    return exported(call, args, tuple(shapes))


def _input(program: ExportedProgram) -> Tensor:
    """What stands for the input."""
    first, *_ = program.graph_signature.user_inputs
    return next(one for one in program.graph.nodes if one.name == first).meta["val"]


def _floor_division(left: Any, right: Any) -> Any:
    """``//`` of sizes; ONNX's own division cuts off, which differs below zero."""
    from onnxscript import opset18

    onnx: Any = opset18
    return onnx.Div(onnx.Sub(left, onnx.Mod(left, right)), right)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch says about its own parts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
