"""With what network a training begins: a new one, or one that has learned already."""

import itertools
from pathlib import Path

import torch
from torch import Tensor, nn

from contconv.models import SuperResolutionNet
from contconv.models.superres.trained import WeightsError, load
from training.errors import DataError

# Of a new network.
CHANNELS, BLOCKS, REFINE = 32, 8, 16


def beginning(
    start: Path | None,
    channels: int | None = None,
    blocks: int | None = None,
    refine_channels: int | None = None,
) -> SuperResolutionNet:
    """A new network, or one from a file, which may become larger.

    Args:
        start: What `SuperResolutionNet.save` wrote; a new network unless given.
        channels: Channels of the encoder; those of the file, or 32, unless given.
        blocks: Residual blocks of the encoder; those of the file, or 8, unless given.
            More than the file has begin as blocks that change nothing.
        refine_channels: Channels at the size of the output; those of the file, or 16,
            unless given. More than the file has begin as channels that add nothing.

    Raises:
        TypeError, ValueError: If a number is no whole number of at least 1, or what the
            file holds cannot become a network like that.
        DataError: If the file is missing or damaged, or holds something else.
    """
    if start is None:
        return SuperResolutionNet(
            CHANNELS if channels is None else channels,
            BLOCKS if blocks is None else blocks,
            refine_channels=REFINE if refine_channels is None else refine_channels,
        )
    try:
        net = load(start).train()
    except WeightsError as error:
        raise DataError(str(error)) from None
    own = net.arguments["channels"]
    if channels not in (None, own):
        raise ValueError(
            f"channels must be those of {start}, {own}, got {channels}; leave channels "
            "out, or begin without start"
        )
    wanted = {"blocks": blocks, "refine_channels": refine_channels}
    for name, number in wanted.items():
        least = net.arguments[name]
        if number is not None and number < least:
            raise ValueError(
                f"{name} must be at least those of {start}, {least}, got {number}; "
                f"leave {name} out, or begin without start"
            )
    return _larger(net, {k: v for k, v in wanted.items() if v is not None})


def _larger(net: SuperResolutionNet, wanted: dict[str, int]) -> SuperResolutionNet:
    """The same function, with blocks, and channels at the output, that add nothing."""
    larger = SuperResolutionNet(**{**net.arguments, **wanted})
    values = _deeper(net.state_dict(), net.arguments["blocks"], larger)
    with torch.no_grad():
        larger.refine[-1].weight.zero_()  # type: ignore
        for name, parameter in larger.state_dict().items():
            known = values.get(name)
            if known is not None:
                for to, of in zip(_parts(larger, name), _parts(net, name), strict=True):
                    part = known[of]
                    corner = tuple(slice(0, side) for side in part.shape)
                    parameter[to][corner] = part
    return larger


def _deeper(
    values: dict[str, Tensor], own: int, larger: SuperResolutionNet
) -> dict[str, Tensor]:
    """Parameters by their names in a deeper network, whose new blocks begin as zero.

    They lie evenly among those that are.
    """
    blocks = larger.encoder.blocks
    known = [i * len(blocks) // own for i in range(own)]
    for i, block in enumerate(blocks):
        if i not in known:
            for parameter in block.second.parameters():  # type: ignore
                nn.init.zeros_(parameter)
    names = {f"encoder.blocks.{was}.": known[was] for was in range(own)}
    return {_renamed(name, names): value for name, value in values.items()}


def _renamed(name: str, blocks: dict[str, int]) -> str:
    for prefix, now in blocks.items():
        if name.startswith(prefix):
            return f"encoder.blocks.{now}.{name.removeprefix(prefix)}"
    return name


def _parts(net: SuperResolutionNet, name: str) -> list[slice]:
    """The parts of a parameter that grow each for itself."""
    if not name.startswith("kernel.factors.2."):
        return [slice(None)]
    counts = net.kernel.counts
    ends = list(itertools.accumulate(counts))
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
