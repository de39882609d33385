"""Discrete layers read: what each computes, or why it stays as it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from contconv._grid.placement import Placement, conv_placement
from contconv._runtime.arguments import per_axis
from contconv.surgery.fit import TapLayout

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
MAXIMA = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d


@dataclass(frozen=True)
class Discrete:
    """A linear layer, or two, as a filter on a grid."""

    module: Convolution | Transposed  # holds weight and bias
    origin: TapLayout
    kernel_size: tuple[int, ...]
    scale: tuple[Fraction, ...]
    placements: tuple[Placement, ...]
    padding_mode: str
    sized: tuple[Placement, ...] | None = None  # of a call with output_size
    note: str = ""  # what does not stay the same
    low_passed: bool = False  # for its scale, so that it does not alias

    @property
    def weight(self) -> Tensor:
        """The weight, as the module has it."""
        return self.module.weight


def is_overridden(module: nn.Module) -> bool:
    """Whether a module computes what was put on it, not what its class does."""
    return not {"forward", "_conv_forward"}.isdisjoint(vars(module))


def is_hooked(parameter: nn.Parameter) -> bool:
    """Whether hooks look at the gradient of a parameter."""
    after = getattr(parameter, "_post_accumulate_grad_hooks", None)
    return bool(parameter._backward_hooks or after)


def refused(module: nn.Module) -> str | None:
    """Why a convolution cannot be replaced, whatever stands before it."""
    known = (*CONVOLUTIONS, *TRANSPOSED)
    if type(module) not in known:
        kinds = [kind.__name__ for kind in known if isinstance(module, kind)]
        if is_parametrized(module):
            return "its weight is parametrized; remove the parametrization first"
        return f"a subclass of {kinds[0]}, which may compute something else"
    extra = {name for name, _ in module.named_parameters(recurse=False)}
    if extra - {"weight", "bias"}:
        names = ", ".join(sorted(extra - {"weight", "bias"}))
        return (
            f"it has other parameters ({names}), as of pruning or a weight norm; make "
            "that permanent first, with torch.nn.utils.prune.remove or the like"
        )
    if module._load_state_dict_pre_hooks:
        return "it has hooks for what it loads, which know it alone; remove them first"
    if isinstance(module.weight, nn.UninitializedParameter):
        return "it has no weight yet; run the model once"
    hooked = [name for name, one in module.named_parameters() if is_hooked(one)]
    if hooked:
        return f"its {hooked[0]} has hooks for gradients, which know it alone"
    if module.weight.numel() == 0:  # type: ignore
        return "it has no channels"
    if not module.weight.is_floating_point():  # type: ignore
        return f"its weight is {module.weight.dtype}, which no kernel can be"
    if any(step != 1 for step in module.dilation):  # type: ignore
        return f"dilation {module.dilation}: its taps are not side by side"
    return None


def read_conv(
    conv: Convolution,
    *,
    repeated: Sequence[int] | None = None,
    pooled: Sequence[int] | None = None,
) -> Discrete:
    """A convolution, possibly of an image that is enlarged or pooled before.

    Args:
        conv: One that is not `refused`.
        repeated: By how much it is enlarged, nearest pixel; its stride must be 1.
        pooled: How many pixels are averaged, without overlap.
    """
    axes = len(conv.kernel_size)
    ones = (1,) * axes
    more, fewer = tuple(repeated or ones), tuple(pooled or ones)
    origin = TapLayout(conv.groups, False, more, fewer, more, tuple(conv.weight.shape))
    sides = _padding(conv)
    if repeated is not None:
        placements = [
            _transposed_placement(q + k - 1, q, k - 1 - before, 0)
            for q, k, (before, _) in zip(more, conv.kernel_size, sides, strict=True)
        ]
        return _filled(conv, origin, tuple(map(Fraction, more)), placements)
    placements = [
        conv_placement(k * q, before * q, after * q)
        for q, k, (before, after) in zip(fewer, conv.kernel_size, sides, strict=True)
    ]
    strides = zip(conv.stride, fewer, strict=True)
    scale = tuple(Fraction(1, t * q) for t, q in strides)
    return _filled(conv, origin, scale, placements)


def read_transposed(conv: Transposed) -> Discrete:
    """A transposed convolution that is not `refused`."""
    strides = tuple(conv.stride)
    ones = (1,) * len(strides)
    origin = TapLayout(conv.groups, True, ones, ones, strides, tuple(conv.weight.shape))
    sizes = (conv.kernel_size, strides, conv.padding, conv.output_padding)
    placements, first = [], []
    for k, q, p, extra in zip(*sizes, strict=True):
        placements.append(_transposed_placement(k, q, int(p), extra))
        begins = {"pixels": 0, "outputs": 2 * int(p) - k + 1}
        first.append(placements[-1]._replace(**begins))
    found = _filled(conv, origin, tuple(map(Fraction, strides)), placements)
    return replace(found, sized=tuple(first))


def _filled(
    conv: Convolution | Transposed,
    origin: TapLayout,
    scale: tuple[Fraction, ...],
    placements: Sequence[Placement],
) -> Discrete:
    """With a support of whole pixels."""
    widths = zip(conv.kernel_size, origin.pooled, origin.repeated, strict=True)
    counts = [k * fewer + more - 1 for k, fewer, more in widths]
    support = [-(-n // parts) for n, parts in zip(counts, origin.parts, strict=True)]
    return Discrete(
        conv, origin, tuple(support), scale, tuple(placements), conv.padding_mode
    )


def _padding(conv: Convolution) -> list[tuple[int, int]]:
    """Pixels before and after the image, per axis."""
    if conv.padding == "same":
        totals = [k - 1 for k in conv.kernel_size]
        return [(total // 2, total - total // 2) for total in totals]
    if conv.padding == "valid":
        return [(0, 0)] * len(conv.kernel_size)
    values: Any = per_axis(conv.padding, len(conv.kernel_size), "padding")
    return [(int(p), int(p)) for p in values]


def _transposed_placement(
    width: int, stride: int, padding: int, more: int
) -> Placement:
    """That of a transposed convolution; centred unless it has output padding."""
    beyond = width - stride - 2 * padding + more
    if more == 0:
        return Placement(beyond, stride)
    return Placement(beyond, stride, pixels=0, outputs=2 * padding - width + 1)


def resizes(name: str, module: nn.Module) -> bool:
    """Whether a layer changes the size of what it is given."""
    if isinstance(module, (*CONVOLUTIONS, *TRANSPOSED)):
        return any(step != 1 for step in module.stride)
    return isinstance(module, (nn.Upsample, *AVERAGES, *MAXIMA))
