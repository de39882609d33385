"""fractional_shift: images moved by any part of a pixel, without interpolation."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from contconv._runtime.arguments import per_axis
from contconv._runtime.shapes import Float, no_type_check
from contconv.metrics.checks import check_images


@no_type_check
def fractional_shift(
    images: Float[Tensor, "n c h w"],
    shift: float | Sequence[float] | Tensor,
) -> Float[Tensor, "n c h w"]:
    r"""Shift images by any number of pixels, whole or not, without losing detail.

    Every frequency of the image, taken as periodic, gets the phase of the shift (the
    Fourier shift theorem):

    .. math:: X[k] \to X[k] \; e^{-2 \pi i \, k \, s / N}

    A shift by whole pixels is `torch.roll`, to rounding, and two shifts are as good as
    one by their sum, but for the highest frequency of an even size, ``N / 2``: there
    the pixels hold only a cosine, of which a shift by :math:`s` leaves
    :math:`\cos(\pi s)`, so that the image stays real.

    Args:
        images: ``[n, c, h, w]``.
        shift: Pixels downwards and to the right, of any sign and size: one number for
            both axes, a pair (y, x), or a tensor ``[n, 2]`` with a pair for each image.
            Gradients flow to it, as to the images.

    Returns:
        ``[n, c, h, w]`` in the dtype of the images; computed in float32 at least.

    Raises:
        TypeError: If the images are no floating-point tensor, or the shift is no
            number.
        ValueError: If a shape does not fit, or the shift is not finite.

    Example:
        >>> from contconv.metrics import fractional_shift
        >>> x = torch.arange(8) * torch.pi / 4
        >>> wave = x.cos().expand(1, 1, 4, 8)
        >>> moved = fractional_shift(wave, (0, 0.5))
        >>> torch.allclose(moved[0, 0, 0], (x - torch.pi / 8).cos(), atol=1e-6)
        True
    """
    check_images(images)
    y, x = as_shifts(shift, images).unbind(1)
    height, width = images.shape[2:]
    pixels = images.to(torch.promote_types(images.dtype, torch.float32))
    spectrum = torch.fft.rfft2(pixels)
    rows = _phases(y, height).to(spectrum)
    columns = _phases(x, width)[:, : width // 2 + 1].to(spectrum)
    moved = spectrum * rows[:, None, :, None] * columns[:, None, None, :]
    return torch.fft.irfft2(moved, s=(height, width)).to(images.dtype)


def _phases(shift: Float[Tensor, " n"], size: int) -> Tensor:
    """What a shift multiplies each frequency by: ``[n, size]``."""
    frequency = torch.fft.fftfreq(size, 1 / size, dtype=shift.dtype).to(shift.device)
    angle = 2 * math.pi / size * frequency * shift.remainder(size)[:, None]
    return torch.complex(angle.cos(), -angle.sin() * (frequency != -size / 2))


def as_shifts(shift: Any, images: Tensor) -> Tensor:
    """The shifts as ``[n, 2]`` or ``[1, 2]`` in float64, or the error."""
    if not isinstance(shift, Tensor):
        shift = _as_pair(shift)
    if shift.dtype == torch.bool or shift.is_complex():
        raise TypeError(f"shift must be real numbers, got {shift.dtype}")
    if tuple(shift.shape) not in ((), (2,), (len(images), 2)):
        raise ValueError(
            "shift must be a number, a pair (y, x) or a tensor of one pair for each of "
            f"the {len(images)} images, got shape {tuple(shift.shape)}"
        )
    if not shift.isfinite().all():
        raise ValueError("shift must be finite, got NaN or infinity")
    # A phase in float32 would be off by 1e-5 in images 100 pixels wide.
    shift = shift.to(images.device, torch.float64)
    return shift if shift.ndim == 2 else shift.expand(1, 2)


def _as_pair(shift: Any) -> Tensor:
    pair = per_axis(shift, 2, "shift")
    for value in pair:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(
                "shift must be a number, a pair (y, x) or a tensor, "
                f"got {type(value).__name__}"
            )
    return torch.tensor([float(value) for value in pair], dtype=torch.float64)
