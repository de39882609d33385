"""Resizing by others beside `resize`: the same picture by both, and how far apart."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from _markdown import row
from PIL import Image
from skimage.data import astronaut
from torch import Tensor
from torch.nn import functional as F

from contconv import resize
from contconv.kernels import CubicKernel, LanczosKernel

# No scale is whole. The width has the smaller one, so that all resize it first: another
# order rounds otherwise.
SIZES = {"smaller": (91, 67), "larger": (451, 297)}
# What the widest kernel reaches beyond the border of the larger picture, and more.
_FRAME = 24

Resizer = Callable[[Tensor, tuple[int, int]], Tensor]


@dataclass(frozen=True)
class Pair:
    """A call of another library, and the same with `resize`."""

    theirs: str
    ours: str
    their_call: Resizer
    our_call: Resizer
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.uint8)


@dataclass(frozen=True)
class Apart:
    """How far two results are apart, in grey levels of 255."""

    inner: float  # at most, but for a frame
    border: float  # at most in the frame
    equal: float  # the share of samples, but for a frame


def photograph(dtype: torch.dtype) -> Tensor:
    """A part of a photograph, ``[1, 3, 200, 190]``, of values in 0..255."""
    part = torch.tensor(astronaut()[30:230, 150:340].copy())
    return part.permute(2, 0, 1)[None].contiguous().to(dtype)


def apart(pair: Pair, size: tuple[int, int], dtype: torch.dtype) -> Apart:
    """Both results for the photograph."""
    image = photograph(dtype)
    theirs, ours = pair.their_call(image, size), pair.our_call(image, size)
    assert theirs.shape == ours.shape
    difference = (theirs.double() - ours.double()).abs()
    inner = difference[..., _FRAME:-_FRAME, _FRAME:-_FRAME]
    frame = difference.clone()
    frame[..., _FRAME:-_FRAME, _FRAME:-_FRAME] = 0
    share = (inner == 0).double().mean().item()
    return Apart(inner.max().item(), frame.max().item(), share)


def _torch(**options: Any) -> Resizer:
    return lambda image, size: F.interpolate(image, size=size, **options)


def _pillow(resample: Image.Resampling) -> Resizer:
    def call(image: Tensor, size: tuple[int, int]) -> Tensor:
        planes = [
            Image.fromarray(plane.numpy()).resize((size[1], size[0]), resample)
            for plane in image[0]
        ]
        return torch.tensor(np.stack([np.asarray(plane) for plane in planes]))[None]

    return call


def _opencv(interpolation: int) -> Resizer:
    def call(image: Tensor, size: tuple[int, int]) -> Tensor:
        pixels = image[0].permute(1, 2, 0).contiguous().numpy()
        out = cv2.resize(pixels, [size[1], size[0]], interpolation=interpolation)
        return torch.tensor(out).permute(2, 0, 1)[None]

    return call


def _ours(**options: Any) -> Resizer:
    return lambda image, size: resize(image, size=size, **options)


def _corners(image: Tensor, size: tuple[int, int]) -> Tensor:
    pairs = zip(size, image.shape[2:], strict=True)
    scale = [Fraction(out - 1, into - 1) for out, into in pairs]
    options: dict[str, Any] = {"antialias": False, "align": "first"}
    return resize(image, scale=scale, size=size, kernel="linear", **options)


_FLOAT = (torch.float32,)
_PLAIN: dict[str, Any] = {"antialias": False}
_CUBIC_34 = CubicKernel(-0.75)
_PIL = Image.Resampling

PAIRS = [
    Pair(
        'PyTorch `"nearest-exact"`',
        '`"nearest"`',
        _torch(mode="nearest-exact"),
        _ours(kernel="nearest"),
    ),
    Pair(
        'PyTorch `"bilinear"`',
        '`"linear"`, `antialias=False`',
        _torch(mode="bilinear"),
        _ours(kernel="linear", **_PLAIN),
    ),
    Pair(
        'PyTorch `"bilinear"`, `align_corners=True`',
        'the same, `align="first"`, the scale `(out - 1) / (in - 1)`',
        _torch(mode="bilinear", align_corners=True),
        _corners,
        _FLOAT,
    ),
    Pair(
        'PyTorch `"bicubic"`',
        "`CubicKernel(-0.75)`, `antialias=False`",
        _torch(mode="bicubic"),
        _ours(kernel=_CUBIC_34, **_PLAIN),
    ),
    Pair(
        'PyTorch `"bilinear"`, `antialias=True`',
        '`"linear"`',
        _torch(mode="bilinear", antialias=True),
        _ours(kernel="linear"),
    ),
    Pair(
        'PyTorch `"bicubic"`, `antialias=True`',
        '`"cubic"`',
        _torch(mode="bicubic", antialias=True),
        _ours(kernel="cubic"),
    ),
    Pair(
        "Pillow `NEAREST`",
        '`"nearest"`',
        _pillow(_PIL.NEAREST),
        _ours(kernel="nearest"),
    ),
    Pair(
        "Pillow `BILINEAR`",
        '`"linear"`',
        _pillow(_PIL.BILINEAR),
        _ours(kernel="linear"),
    ),
    Pair("Pillow `BICUBIC`", '`"cubic"`', _pillow(_PIL.BICUBIC), _ours(kernel="cubic")),
    Pair(
        "Pillow `LANCZOS`",
        '`"lanczos3"`',
        _pillow(_PIL.LANCZOS),
        _ours(kernel="lanczos3"),
    ),
    Pair(
        "OpenCV `INTER_NEAREST_EXACT`",
        '`"nearest"`',
        _opencv(cv2.INTER_NEAREST_EXACT),
        _ours(kernel="nearest"),
    ),
    Pair(
        "OpenCV `INTER_LINEAR`",
        '`"linear"`, `antialias=False`',
        _opencv(cv2.INTER_LINEAR),
        _ours(kernel="linear", **_PLAIN),
    ),
    Pair(
        "OpenCV `INTER_CUBIC`",
        "`CubicKernel(-0.75)`, `antialias=False`",
        _opencv(cv2.INTER_CUBIC),
        _ours(kernel=_CUBIC_34, **_PLAIN),
    ),
    Pair(
        "OpenCV `INTER_LANCZOS4`",
        "`LanczosKernel(4)`, `antialias=False`",
        _opencv(cv2.INTER_LANCZOS4),
        _ours(kernel=LanczosKernel(4), **_PLAIN),
    ),
]


def write_compared(folder: Path) -> None:
    """Write the table, measured now, to ``folder``."""
    sizes = " / ".join(SIZES)
    head = ["theirs", "ours", f"float32, {sizes}", f"8 bits, {sizes}"]
    lines = [row(*head), row(*["---"] * len(head)), *(row(*_row(p)) for p in PAIRS)]
    versions = f"PyTorch {torch.__version__.split('+')[0]}, Pillow {Image.__version__}"
    note = f"*Measured as this page was built: {versions}, OpenCV {cv2.__version__}.*"
    (folder / "compared.md").write_text("\n".join([*lines, "", note, ""]))


def _row(pair: Pair) -> Iterator[str]:
    yield from (pair.theirs, pair.ours)
    for dtype in (torch.float32, torch.uint8):
        found = [apart(pair, s, dtype) for s in SIZES.values() if dtype in pair.dtypes]
        yield " / ".join(_words(one, exact=dtype == torch.uint8) for one in found)


def _words(found: Apart, exact: bool) -> str:
    text = f"{found.inner:.1g}" if found.inner < 10 else f"{found.inner:.0f}"
    if exact:
        missed = 1e6 * (1 - found.equal)
        share = (
            f"{100 * found.equal:.1f} %"
            if missed > 500
            else f"all but {missed:.0f} in 10⁶"
        )
        text = f"{share}, {text}" if missed else "all"
    further = found.border > 2 * found.inner + 0.01
    return text + (f"; edge {found.border:.1g}" if further else "")
