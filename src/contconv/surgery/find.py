"""Layers found in a network that a continuous layer could replace."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from contconv.surgery.discrete import (
    AVERAGES,
    CONVOLUTIONS,
    MAXIMA,
    TRANSPOSED,
    Convolution,
    Discrete,
    read_conv,
    read_transposed,
    refused,
)
from contconv.surgery.pairs import read_pair
from contconv.surgery.upsample import Classical, read_upsample

Where = Callable[[str, nn.Module], bool]

# What `convert` looks at.
KINDS = (*CONVOLUTIONS, *TRANSPOSED, nn.Upsample, *AVERAGES, *MAXIMA)


@dataclass(frozen=True)
class Match:
    """A layer, or two that follow each other, and what they compute."""

    names: tuple[str, ...]  # in the network; the last one's place is taken
    modules: tuple[nn.Module, ...]
    discrete: Discrete | Classical | None
    reason: str = ""  # why there is none


def find(model: nn.Module, where: Where, *, fresh: bool) -> Iterator[Match]:
    """The layers that are chosen, in the order of ``model.named_modules()``.

    Args:
        model: Any network.
        where: Which to choose, by name and module; of two, the first one counts.
        fresh: Whether the function need not stay the same.
    """
    shared, taken = _shared_weights(model), set()
    followers = _followers(model, shared)
    for name, module in model.named_modules():
        if not isinstance(module, KINDS) or name in taken or not where(name, module):
            continue
        after = followers.get(name)
        if after is not None:
            pair = read_pair(module, after[1], fresh=fresh)
            if isinstance(pair, Discrete):
                taken.add(after[0])
                yield Match((name, after[0]), (module, after[1]), pair)
                continue
        found = _read(module, shared)
        if isinstance(found, str):
            yield Match((name,), (module,), None, found)
        else:
            yield Match((name,), (module,), found)


def _read(module: nn.Module, shared: set[int]) -> Discrete | Classical | str:
    if isinstance(module, (*CONVOLUTIONS, *TRANSPOSED)):
        if reason := refused(module):
            return reason
        if id(module.weight) in shared:
            return "another layer has the same weight, which would no longer be shared"
    if isinstance(module, CONVOLUTIONS):
        return read_conv(module)
    if isinstance(module, TRANSPOSED):
        return read_transposed(module)
    if isinstance(module, nn.Upsample):
        return read_upsample(module)
    if isinstance(module, MAXIMA):
        return (
            "a maximum is no sum of pixels; before a convolution in the same "
            "nn.Sequential, init='fresh' replaces both"
        )
    return (
        "no convolution follows in the same nn.Sequential that could take it in; "
        "contconv.continuous_conv with BoxKernel is the mean at any scale"
    )


def _shared_weights(model: nn.Module) -> set[int]:
    """The weights that several modules have."""
    seen: dict[int, int] = {}
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter):
            seen[id(weight)] = seen.get(id(weight), 0) + 1
    return {key for key, count in seen.items() if count > 1}


def _followers(
    model: nn.Module, shared: set[int]
) -> dict[str, tuple[str, Convolution]]:
    """The convolution after a child of an nn.Sequential: its name, and the module.

    Not where one of the two has another place in the network, too, or the convolution
    shares its weight: what one takes in, the other place would lack.
    """
    used = Counter(id(m) for _, m in model.named_modules(remove_duplicate=False))
    found = {}
    for name, module in model.named_modules():
        if type(module) is nn.Sequential:
            children = [
                (f"{name}.{key}" if name else key, child)
                for key, child in module.named_children()
            ]
            for (key, child), (after, conv) in pairwise(children):
                if not isinstance(conv, CONVOLUTIONS) or id(conv.weight) in shared:
                    continue
                if used[id(child)] == used[id(conv)] == 1:
                    found[key] = (after, conv)
    return found
