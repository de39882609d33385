"""Steps: modules one after the other, with functions where there is no module."""

import operator
from math import prod
from typing import Any

import torch
from torch import fx, nn

from contconv._grid.placement import Placement
from contconv.export.periodicity import Periodicity, count
from contconv.nn.layer import ContinuousConv

_PADDINGS: dict[str, tuple[type[nn.Module], ...]] = {
    "zeros": (nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
    "reflect": (nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d),
    "replicate": (nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d),
    "circular": (nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
}

KNOWN_MODES = tuple(_PADDINGS)


class Steps:
    """A chain of modules, with functions between them where there is no module."""

    def __init__(self, layer: ContinuousConv, found: tuple[Periodicity, ...]) -> None:
        self.layer, self.found, self.ndim = layer, found, layer.ndim
        self.root, self.graph = nn.Module(), fx.Graph()
        self.input = self.value = self.graph.placeholder("input")

    def module(self, name: str, module: nn.Module) -> None:
        self.root.add_module(name, module)
        self.value = self.graph.call_module(name, (self.value,))

    def call(self, function: Any, *args: Any) -> fx.Node:
        return self.graph.call_function(function, args)

    def size(self, i: int) -> fx.Node:
        return self.graph.call_method("size", (self.input, i - self.ndim))

    def check(self, name: str) -> None:
        """Stop at sizes for which the modules would compute something else."""
        for i, one in enumerate(self.found):
            where, size = f"{name} was baked for inputs that", one.kinds[0].in_size
            if one.modulus == 0:
                holds = self.call(operator.eq, self.size(i), size)
                rule = f"have {size} pixels"
            elif len(one.kinds) == 1 and one.modulus > 1:
                rest = self.call(operator.mod, self.size(i), one.modulus)
                holds = self.call(operator.eq, rest, size % one.modulus)
                rule = f"have {size % one.modulus} more pixels than a multiple of "
                rule += str(one.modulus)
            else:
                continue
            text = f"{where} {rule} on axis {i - self.ndim}; bake it for this size"
            self.call(torch._assert, holds, text)
        self._check_mirrors(name)

    def _check_mirrors(self, name: str) -> None:
        mode = self.layer.padding_mode
        fewer = {"reflect": 1, "circular": 0}.get(mode)
        if fewer is None:
            return
        for i, one in enumerate(self.found):
            least = max(one.before, one.after, 0) + fewer
            if least > 1 and one.modulus != 0:
                holds = self.call(operator.ge, self.size(i), least)
                text = f"{name}, baked with padding_mode={mode!r}, needs at least "
                text += f"{least} pixels on axis {i - self.ndim}; use the layer itself"
                self.call(torch._assert, holds, text)

    def pad(self) -> None:
        """Add what the windows need outside the input, then leave out what none sees.

        In this order, because a mirror or a circle needs the whole input.
        """
        pairs = [(one.before, one.after) for one in self.found]
        added = [max(0, amount) for pair in reversed(pairs) for amount in pair]
        if any(added):
            padding: Any = _PADDINGS[self.layer.padding_mode][self.ndim - 1]
            self.module("pad", padding(tuple(added)))
        cut = [slice(max(0, -a) or None, min(0, b) or None) for a, b in pairs]
        if any(one != slice(None) for one in cut):
            self.value = self.call(operator.getitem, self.value, (Ellipsis, *cut))

    def shuffle(self) -> None:
        """Put the phases beside each other."""
        phases, ndim = [one.phases for one in self.found], self.ndim
        if prod(phases) == 1:
            return
        if ndim == 2 and phases[0] == phases[1]:
            self.module("shuffle", nn.PixelShuffle(phases[0]))
            return
        call = self.graph.call_method
        sizes = (self.layer.out_channels, *phases)
        value = call("unflatten", (self.value, -ndim - 1, sizes))
        axes = range(ndim)
        # Phases and periods of all axes; then the periods of each before its phases.
        apart = tuple(range(-2 * ndim, 0))
        beside = (*(2 * (i - ndim) + 1 for i in axes), *(2 * (i - ndim) for i in axes))
        value = self.call(torch.movedim, value, apart, beside)
        for i in axes:
            value = call("flatten", (value, -2 - i, -1 - i))
        self.value = value

    def cut(self) -> None:
        """Leave out the phases beyond the output, where its last period is partial."""
        kept: list[slice] = []
        for i, one in enumerate(self.found):
            axis = one.kinds[0]
            if one.is_whole:
                kept.append(slice(None))
            elif one.modulus == 0:
                kept.append(slice(axis.out_size))
            else:
                places = self.layer.placements
                where = Placement() if places is None else places[i]
                kept.append(slice(count(where, self.size(i), axis, self.call)))
        if any(one != slice(None) for one in kept):
            self.value = self.call(operator.getitem, self.value, (Ellipsis, *kept))

    def finish(self) -> nn.Module:
        """The modules alone if they are all there is, else a graph of them."""
        kinds = {node.op for node in self.graph.nodes}
        if kinds <= {"placeholder", "call_module"}:
            modules = list(self.root.children())
            return modules[0] if len(modules) == 1 else nn.Sequential(*modules)
        self.graph.output(self.value)
        return fx.GraphModule(self.root, self.graph, "BakedConvolution")
