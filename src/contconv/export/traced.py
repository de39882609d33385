"""The call of a model that becomes a graph, and that graph."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from contconv._grid.ratio import Scale, Size
from contconv.nn.observe import watching
from contconv.nn.scales import continuous_layers


class TracedCall(nn.Module):
    """A call of a model with a scale or a size, and of sizes if it is ``sized``."""

    def __init__(
        self, model: nn.Module, scale: Scale | None, size: Size | str | None
    ) -> None:
        super().__init__()
        if isinstance(size, str) and size != "input":
            raise ValueError(
                f'size must be whole numbers of pixels or "input", got {size!r}'
            )
        self.model, self.sized = model, size == "input"
        given = {"scale": scale, "size": None if self.sized else size}
        self.options = {key: one for key, one in given.items() if one is not None}

    def forward(self, input: Tensor, *size: int) -> Tensor:
        options = {**self.options, "size": size} if self.sized else self.options
        return self.model(input, **options)

    def args(self, image: Tensor, out: tuple[int, ...]) -> tuple[Any, ...]:
        """The arguments of `forward`."""
        return (image, *out) if self.sized else (image,)


def exported(call: TracedCall, args: tuple[Any, ...], shapes: tuple[Any, ...]) -> Any:
    """The graph of a call, run or, if that fixes a size, read by the compiler.

    Raises:
        ValueError: If neither can be; the message has the layer, if one was running.
    """
    export = partial(torch.export.export, call, args, dynamic_shapes=shapes)
    layers = continuous_layers(call.model)
    with watching(call.model, layers) as calls:
        try:
            return export(strict=False)
        except Exception as error:
            first, where = error, "the model"
            for one in calls:
                if not one.ended:
                    where = f"layer {one.name!r}" if one.name else "the layer"
    try:
        return export(strict=True)
    except Exception:
        raise ValueError(
            f"PyTorch cannot export {where} for any size; write it without branches on "
            f"sizes and values, or export each part that has none: {first}"
        ) from first
