"""Layers found in a network that a continuous layer could replace."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn

from contconv._runtime.numberless import has_numbers
from contconv.nn.observe import Call
from contconv.surgery.discrete import (
    AVERAGES,
    CONVOLUTIONS,
    MAXIMA,
    TRANSPOSED,
    Convolution,
    Discrete,
    is_overridden,
    read_conv,
    read_transposed,
    refused,
)
from contconv.surgery.fixed import Fixed, read_average, read_upsample
from contconv.surgery.pairs import read_pair
from contconv.surgery.replace import is_watched

Where = Callable[[str, nn.Module], bool]

# What `convert` looks at.
KINDS = (*CONVOLUTIONS, *TRANSPOSED, nn.Upsample, *AVERAGES, *MAXIMA)


_SCRIPTED = (
    "torch.jit.script or torch.jit.trace has compiled what calls it; convert the "
    "network before, and trace what it becomes"
)


@dataclass(frozen=True)
class Match:
    """A layer, or two that follow each other, and what they compute."""

    names: tuple[str, ...]  # in the network; the last one's place is taken
    modules: tuple[nn.Module, ...]
    discrete: Discrete | Fixed | None
    reason: str = ""  # why there is none; or why a layer is not made one with the next


def find(
    model: nn.Module, where: Where, calls: Sequence[Call] | None, *, fresh: bool
) -> Iterator[Match]:
    """The layers that are chosen, in the order of ``model.named_modules()``.

    Args:
        model: Any network.
        where: Which to choose, by name and module; of two, the first one counts.
        calls: Those of an example, of its layers and of every nn.Sequential; or None.
        fresh: Whether the function need not stay the same.
    """
    shared, taken = _shared_parameters(model), set()
    followers = _followers(model, shared)
    for name, module in model.named_modules():
        if _is_scripted(module) and where(name, module):
            yield Match((name,), (module,), None, _SCRIPTED)
        if not isinstance(module, KINDS) or name in taken or not where(name, module):
            continue
        after, reason = followers.get(name), ""
        if after is not None and (pair := read_pair(module, after.conv, fresh=fresh)):
            reason = _apart(module, after, calls, fresh=fresh)
            if not reason:
                taken.add(after.name)
                yield Match((name, after.name), (module, after.conv), pair)
                continue
        found = _read(module, shared)
        if isinstance(found, str):
            yield Match((name,), (module,), None, reason or found)
        else:
            yield Match((name,), (module,), found, reason)


def _apart(
    first: nn.Module, after: "_Follower", calls: Sequence[Call] | None, *, fresh: bool
) -> str:
    """Why two layers cannot become one: what is between them may be looked at."""
    if is_overridden(first) or is_overridden(after.conv):
        return "a forward of its own was put on one of two"
    if is_watched(first) or is_watched(after.conv):
        return f"hooks would see something else if it became one with {after.name!r}"
    own = [one for one in calls or () if one.module in (first, after.conv)]
    if not own:
        if fresh:
            return ""
        what = "no example reaches it" if calls else "pass example="
        return f"whether only {after.name!r} takes its output is unknown: {what}"
    if all(one.inside and one.inside.module is after.parent for one in own):
        return ""
    return f"not only {after.name!r} takes its output: the model calls both by itself"


def _read(module: nn.Module, shared: set[int]) -> Discrete | Fixed | str:
    if is_overridden(module):
        return "a forward of its own was put on it, which may compute something else"
    if isinstance(module, (*CONVOLUTIONS, *TRANSPOSED)):
        if reason := refused(module):
            return reason
        for name, one in module.named_parameters():
            if _identity(one) in shared:
                what = f"another layer has the same {name}"
                return f"{what}, which would no longer be shared"
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
    return read_average(module)


def _is_scripted(module: nn.Module) -> bool:
    """Whether it was one of the layers that `find` looks for."""
    if not isinstance(module, torch.jit.ScriptModule):
        return False
    name = getattr(module, "original_name", "")
    return name in {kind.__name__ for kind in KINDS}


def _shared_parameters(model: nn.Module) -> set[int]:
    """The identities of parameters that there are several times."""
    parts = (module.parameters(recurse=False) for module in model.modules())
    seen = Counter(_identity(one) for part in parts for one in part)
    return {key for key, count in seen.items() if count > 1}


def _identity(parameter: nn.Parameter) -> int:
    """Where its numbers lie: parameters may be two, and views of one tensor."""
    plain = type(parameter) is nn.Parameter and parameter.layout is torch.strided
    place = parameter.data_ptr() if plain and has_numbers(parameter) else 0
    return place or id(parameter)


class _Follower(NamedTuple):
    """The convolution after a child of an nn.Sequential."""

    name: str
    conv: Convolution
    parent: nn.Sequential


def _followers(model: nn.Module, shared: set[int]) -> dict[str, _Follower]:
    """By the names of what stands before them.

    Not where one of the two has another place in the network, too, or the convolution
    shares a parameter: what one takes in, the other place would lack.
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
                if not isinstance(conv, CONVOLUTIONS):
                    continue
                if not shared.isdisjoint(map(_identity, conv.parameters())):
                    continue
                if used[id(child)] == used[id(conv)] == 1:
                    found[key] = _Follower(after, conv, module)
    return found
