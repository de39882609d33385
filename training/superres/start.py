"""With what network a training begins: a new one, or one that has learned already."""

from pathlib import Path

from torch import nn

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
    """A new network, or one from a file, which may become deeper.

    Args:
        start: What `SuperResolutionNet.save` wrote; a new network unless given.
        channels: Channels of the encoder; those of the file, or 32, unless given.
        blocks: Residual blocks of the encoder; more than the file has begin as blocks
            that change nothing. Those of the file, or 8, unless given.
        refine_channels: Channels at the size of the output; those of the file, or 16,
            unless given.

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
    for name, wanted in (("channels", channels), ("refine_channels", refine_channels)):
        own = net.arguments[name]
        if wanted not in (None, own):
            raise ValueError(
                f"{name} must be those of {start}, {own}, got {wanted}; leave {name} "
                "out, or begin without start"
            )
    return net if blocks is None else _deeper(net, blocks, start)


def _deeper(net: SuperResolutionNet, blocks: int, start: Path) -> SuperResolutionNet:
    """The same function, with more blocks: new ones evenly among those that are."""
    own = net.arguments["blocks"]
    if blocks < own:
        raise ValueError(
            f"blocks must be at least those of {start}, {own}, got {blocks}; leave "
            "blocks out, or begin without start"
        )
    deeper = SuperResolutionNet(**{**net.arguments, "blocks": blocks})
    known = [i * blocks // own for i in range(own)]
    for i, block in enumerate(deeper.encoder.blocks):
        if i not in known:
            for parameter in block.second.parameters():  # type: ignore
                nn.init.zeros_(parameter)
    values = net.state_dict()
    for was, now in reversed(list(enumerate(known))):
        for name in list(values):
            prefix = f"encoder.blocks.{was}."
            if name.startswith(prefix):
                rest = name.removeprefix(prefix)
                values[f"encoder.blocks.{now}.{rest}"] = values.pop(name)
    deeper.load_state_dict({**deeper.state_dict(), **values})
    return deeper
