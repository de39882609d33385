"""psnr and ssim: the fidelity of an image, as super-resolution measures it."""

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from contconv._runtime.arguments import as_count, check_floating
from contconv._runtime.shapes import Float, no_type_check

# Of red, green and blue in Y, for values in 0..255 (ITU-R BT.601, as rgb2ycbcr).
_LUMA, _BLACK = (65.481, 128.553, 24.966), 16.0

_WINDOW, _SIGMA, _K1, _K2 = 11, 1.5, 0.01, 0.03


@no_type_check
def psnr(
    images: Float[Tensor, "n c h w"],
    targets: Float[Tensor, "n c h w"],
    *,
    peak: float = 1.0,
    shave: int = 0,
    luma: bool = False,
) -> Float[Tensor, " n"]:
    r"""Peak signal-to-noise ratio, in dB.

    .. math:: 10 \log_{10} \frac{\mathrm{peak}^2}{\mathrm{mean}((a - b)^2)}

    Args:
        images: ``[n, c, h, w]``, or ``[c, h, w]`` for one.
        targets: What they should be, of the same shape.
        peak: The value of white: 1, or 255.
        shave: Pixels at each border that do not count. Super-resolution by a factor
            leaves out as many.
        luma: Whether to compare Y alone, of images in RGB: as MATLAB's ``rgb2ycbcr``
            (ITU-R BT.601, 16 to 235 of 255), which the super-resolution benchmarks use.

    Returns:
        One value for each image, in float64; infinite where they are equal.

    Raises:
        TypeError: If they are no floating-point tensors, or ``shave`` no whole number.
        ValueError: If shapes do not fit, or nothing is left within the border.

    Example:
        >>> from contconv.metrics import psnr
        >>> psnr(torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.1))
        tensor([20.0000], dtype=torch.float64)
    """
    a, b = _compared(images, targets, peak, shave, luma)
    return 20 * math.log10(peak) - 10 * (a - b).square().mean((1, 2, 3)).log10()


@no_type_check
def ssim(
    images: Float[Tensor, "n c h w"],
    targets: Float[Tensor, "n c h w"],
    *,
    peak: float = 1.0,
    shave: int = 0,
    luma: bool = False,
) -> Float[Tensor, " n"]:
    """Structural similarity: 1 for equal images (Wang et al., 2004).

    Means and covariances under a Gaussian window of 11x11 pixels with a standard
    deviation of 1.5, where it lies within the image; the mean over positions and
    channels. Constants of 0.01 and 0.03.

    Args:
        images: As for `psnr`; at least 11 pixels within the border on both axes.
        targets: As for `psnr`.
        peak: As for `psnr`.
        shave: As for `psnr`.
        luma: As for `psnr`.

    Returns:
        One value for each image, in float64.

    Raises:
        TypeError, ValueError: As `psnr` does, or if images are smaller than the window.

    Example:
        >>> from contconv.metrics import ssim
        >>> image = torch.rand(1, 3, 16, 16)
        >>> ssim(image, image)
        tensor([1.], dtype=torch.float64)
    """
    a, b = _compared(images, targets, peak, shave, luma)
    if min(a.shape[2:]) < _WINDOW:
        raise ValueError(
            f"images must have at least {_WINDOW} pixels within the border on both "
            f"axes, got {tuple(a.shape[2:])}"
        )
    mean_a, mean_b = _windowed(a), _windowed(b)
    variance_a = _windowed(a * a) - mean_a**2
    variance_b = _windowed(b * b) - mean_b**2
    covariance = _windowed(a * b) - mean_a * mean_b
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    alike = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    each = alike / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))
    return each.mean((1, 2, 3))


def _compared(
    images: Tensor, targets: Tensor, peak: float, shave: int, luma: bool
) -> tuple[Tensor, Tensor]:
    """What counts of both, ``[n, c, h, w]`` in float64."""
    check_floating(images, "images")
    check_floating(targets, "targets")
    if images.shape != targets.shape or images.ndim not in (3, 4):
        raise ValueError(
            "images and targets must have the same shape, [n, c, h, w] or [c, h, w], "
            f"got {tuple(images.shape)} and {tuple(targets.shape)}"
        )
    if not (math.isfinite(peak) and peak > 0):
        raise ValueError(f"peak must be positive and finite, got {peak}")
    height, width = images.shape[-2:]
    if 2 * as_count(shave, "shave") >= min(height, width):
        raise ValueError(
            f"shave must leave something of {height} x {width} pixels, got {shave}"
        )
    within = (..., slice(shave, height - shave), slice(shave, width - shave))
    a, b = (one[within].to(torch.float64) for one in (images, targets))
    if images.ndim == 3:
        a, b = a[None], b[None]
    return (_luma(a, peak), _luma(b, peak)) if luma else (a, b)


def _luma(images: Tensor, peak: float) -> Tensor:
    if images.shape[1] != 3:
        raise ValueError(
            f"luma needs images of red, green and blue, got {images.shape[1]} channels"
        )
    weights = images.new_tensor(_LUMA) / 255
    y = torch.einsum("nchw,c->nhw", images, weights)
    return y[:, None] + _BLACK * peak / 255


def _windowed(images: Tensor) -> Tensor:
    """The mean under the window at each position."""
    x = torch.arange(_WINDOW, device=images.device).to(images) - _WINDOW // 2
    line = torch.exp(-x.square() / (2 * _SIGMA**2))
    line = line / line.sum()
    planes = images.flatten(0, 1)[:, None]
    planes = conv2d(conv2d(planes, line[None, None, None]), line[None, None, :, None])
    return planes.unflatten(0, images.shape[:2])[:, :, 0]
