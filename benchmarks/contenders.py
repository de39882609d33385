"""The contenders: what each case is timed against."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.cases import Case
from contconv import ContinuousConv2d
from contconv.engines import ENGINES

Call = Callable[[], object]


def contenders(case: Case) -> dict[str, Call]:
    """A call for each contender that can run the case; "conv" is the unit of time."""
    torch.manual_seed(0)
    dtype = getattr(torch, case.dtype)
    out_channels = case.out_channels or case.channels
    shape = (case.batch, case.channels, case.size, case.size)
    image = torch.randn(shape, dtype=dtype)
    layer = _layer(case, "auto")
    with torch.no_grad():
        size = tuple(layer(image).shape[2:])
    # An even kernel takes a pixel more, for an output of the same size.
    padding, more = (case.kernel_size - 1) // 2, 1 - case.kernel_size % 2
    conv = nn.Conv2d(case.channels, out_channels, case.kernel_size, padding=padding)
    conv = conv.to(dtype)
    before = tuple(pixels + more for pixels in size)
    resized = torch.randn((*shape[:2], *before), dtype=dtype)

    def interpolated(x: Tensor) -> Tensor:
        return conv(F.interpolate(x, size=before, mode="bilinear"))

    calls: dict[str, Call] = {"conv": _call(conv, resized, case)}
    calls["interpolate + conv"] = _call(interpolated, image, case)
    calls["contconv"] = _call(layer, image, case)
    for engine in ENGINES:
        if engine != "reference" and _can_run(case, engine, image):
            calls[engine] = _call(_layer(case, engine), image, case)
    if case.scale in ("1/2", "2"):
        calls["strided or transposed conv"] = _call(_strided(case), image, case)
    return calls


def _layer(case: Case, engine: str) -> ContinuousConv2d:
    torch.manual_seed(0)
    return ContinuousConv2d(
        case.channels,
        case.out_channels or case.channels,
        case.kernel_size,
        scale=case.ratio,
        engine=engine,
        dtype=getattr(torch, case.dtype),
    )


def _can_run(case: Case, engine: str, image: Tensor) -> bool:
    try:
        with torch.no_grad():
            _layer(case, engine)(image)
    except ValueError:
        return False
    return True


def _strided(case: Case) -> nn.Module:
    out_channels = case.out_channels or case.channels
    if case.scale == "1/2":
        module: nn.Module = nn.Conv2d(
            case.channels, out_channels, case.kernel_size, stride=2, padding=1
        )
    else:
        module = nn.ConvTranspose2d(
            case.channels, out_channels, case.kernel_size, stride=2, padding=1
        )
    return module.to(getattr(torch, case.dtype))


def _call(apply: Callable[[Tensor], Tensor], image: Tensor, case: Case) -> Call:
    def forward() -> None:
        with torch.no_grad():
            apply(image)

    def both() -> None:
        leaf = image.detach().requires_grad_()
        apply(leaf).sum().backward()

    return both if case.backward else forward
