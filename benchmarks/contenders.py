"""The contenders: what each case is timed against."""

from collections.abc import Callable
from functools import partial
from itertools import cycle

import torch
from torch import Tensor

from benchmarks import peers
from benchmarks.cases import Case
from benchmarks.contender import Contender, of_module
from contconv import ContinuousConv2d, Explanation

# What builds more than this is left out.
MOST_BYTES = 2**30

# More scales than there are small tables that the library keeps from call to call.
SCALES = 100


def contenders(case: Case) -> dict[str, Callable[[], Contender]]:
    """What makes each contender that can run the case; "conv" is the unit."""
    return {name: partial(make, case, name) for name in able(case)}


def able(case: Case) -> list[str]:
    """The names of the contenders that can run the case."""
    names = ["conv", "interpolate + conv", "contconv"]
    y, x = case.ratios
    if isinstance(case.scale, float) and not case.backward:
        names.append("new scales")
    if x == y < 1 == x.numerator and case.size % x.denominator == 0:
        names.append("strided conv")
    if x == y > 1 == x.denominator and case.groups == 1:
        names += ["transposed conv", "conv + pixel shuffle"]
    plain = case.dtype == "float32" and case.groups == 1
    if plain and peers.sampled_bytes(case) <= MOST_BYTES:
        names.append("grid_sample + 1 x 1 conv")
    explanation = explained(case)
    names += [
        name
        for name, engine in explanation.engines.items()
        if engine.cost is not None and name != "reference"
    ]
    literal = explanation.engines["reference"].cost
    # Its backward pass holds the gradients of its large tensors beside them.
    if literal and literal.memory * (1 + case.backward) <= MOST_BYTES:
        names.append("reference")
    return names


def make(case: Case, name: str) -> Contender:
    """The contender of that name, always with the same numbers in it."""
    torch.manual_seed(0)
    makers = {
        "conv": peers.conv,
        "interpolate + conv": peers.interpolate_conv,
        "strided conv": peers.strided,
        "transposed conv": peers.transposed,
        "conv + pixel shuffle": peers.shuffled,
        "grid_sample + 1 x 1 conv": peers.sampled,
        "contconv": partial(_layer, engine="auto"),
        "new scales": _new_scales,
    }
    return makers.get(name, partial(_layer, engine=name))(case)


def explained(case: Case) -> Explanation:
    """Which engine the layer takes, and what the others would."""
    image = torch.empty(_shape(case), dtype=getattr(torch, case.dtype), device="meta")
    with torch.set_grad_enabled(case.backward):
        return _module(case, "auto").explain(image.requires_grad_(case.backward))


def _layer(case: Case, engine: str) -> Contender:
    module = _module(case, engine)
    return of_module(module, _image(case), case.backward)


def _new_scales(case: Case) -> Contender:
    """The layer, at another scale in each call: nothing that is kept can be used."""
    layer, scale = _module(case, "auto"), float(case.ratios[0])
    scales = cycle([scale * (1 - 1e-4 * i / SCALES) for i in range(SCALES)])

    def apply(x: Tensor) -> Tensor:
        return layer(x, scale=next(scales), size=case.out_size)

    return Contender(apply, _image(case))


def _module(case: Case, engine: str) -> ContinuousConv2d:
    return ContinuousConv2d(
        case.channels,
        case.outputs,
        case.kernel_size,
        scale=case.ratio,
        groups=case.groups,
        engine=engine,
        dtype=getattr(torch, case.dtype),
    )


def _image(case: Case) -> Tensor:
    return torch.randn(_shape(case), dtype=getattr(torch, case.dtype))


def _shape(case: Case) -> tuple[int, ...]:
    return case.batch, case.channels, case.size, case.size
