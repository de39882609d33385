"""equivariance, same_class: what a shift of the images does, by four protocols."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from contconv._grid.ratio import Ratio, Scale, as_ratios
from contconv._runtime.arguments import as_count, check_callable
from contconv._runtime.autocast import no_autocast
from contconv._runtime.shapes import Float, no_type_check
from contconv.kernels.sinc import SincKernel
from contconv.metrics.consistency import classes_of
from contconv.metrics.fractional import fractional_shift
from contconv.metrics.maps import (
    check_border,
    cosine,
    cut,
    map_of,
    moved_back,
    ratios_of,
)
from contconv.metrics.views import views_of

# Pixels of the window of the sinc that moves the features of crops back.
_WINDOW = 8

# Pixels of the feature map that are cut off: as in the paper; and of crops, beside what
# is in one of them only, what its border makes of others.
_BORDER = 2


class Equivariance(NamedTuple):
    """How alike features are that were moved back, for each image ``[n]``.

    Attributes:
        whole: The cosine similarity of the features.
        varying: The same without the mean of each channel, which any shift keeps.
        ceiling: What ``whole`` would be if the features moved exactly, by the phases of
            their frequencies: what the way back costs.
    """

    whole: Tensor
    varying: Tensor
    ceiling: Tensor


@no_type_check
@torch.no_grad()
def equivariance(
    features: Callable[[Tensor], Tensor],
    images: Float[Tensor, "n c h w"],
    shift: float | tuple[float, float] | Tensor,
    *,
    protocol: str = "fractional",
    scale: Scale | None = None,
    border: int | None = None,
) -> Equivariance:
    """Whether features move with the images, by one of four protocols.

    ``"circular"``
        Images are shifted by whole pixels, what leaves comes in at the other side; the
        features are moved back by the phases of their frequencies. An exact network
        whose padding is circular reaches 1.
    ``"fractional"``
        The same by any part of a pixel: images, too, are shifted by their phases.
    ``"crop"``
        Two cut-outs of the same photograph, the shift apart: what enters is real. The
        features are moved back by a windowed sinc, and compared where both have them.
    ``"paper"``
        As in Table 1 of the paper: zeros enter the image, features are moved back by
        cubic interpolation, and 2 pixels are cut off. `shift_equivariance` draws such
        shifts.

    Args:
        features: From images to feature maps ``[n, d, h', w']``. It is used as it is:
            call ``.eval()`` before. No gradients are kept.
        images: ``[n, c, h, w]``, all at once.
        shift: Pixels downwards and to the right: a number for both axes, a pair (y, x)
            or a tensor ``[n, 2]``. Whole, but for ``"fractional"``.
        protocol: One of those above.
        scale: Pixels of the feature map over pixels of the image, for both axes or for
            each; the size of the map over that of the image unless given.
        border: Pixels of the feature map to cut off on every side; unless given what
            the protocol says.

    Returns:
        Similarities of whole features and of what varies, and their ceiling.

    Raises:
        TypeError: If ``features`` cannot be called, images or features are no
            floating-point tensors, or a number is of a wrong type.
        ValueError: If shapes do not fit, there is no such protocol, the shift is not
            less than the image or not whole, or the border leaves nothing.

    Example:
        >>> from contconv.metrics import equivariance
        >>> images = torch.rand(10, 3, 31, 31)
        >>> blur = torch.nn.Conv2d(3, 8, 3, padding=1, padding_mode="circular")
        >>> found = equivariance(blur, images, (0.5, -3.3))
        >>> bool(found.whole.min() > 0.9999)
        True
        >>> fourth_pixel = torch.nn.MaxPool2d(1, stride=4)
        >>> bool(equivariance(fourth_pixel, images, 2).varying.mean() > 0.5)
        False
    """
    check_callable(features, "features")
    views = views_of(images, shift, protocol)
    given = None if scale is None else as_ratios(scale, 2)
    border = None if border is None else as_count(border, "border")
    still, moved = (map_of(features, one, 0) for one in (views.still, views.moved))
    ratios = ratios_of(moved, views.moved, given)
    ways = views.shift * views.shift.new_tensor([up / down for up, down in ratios])
    border = _usual_border(protocol, ways) if border is None else border
    check_border(still, border)
    with no_autocast(images.device.type):
        exact = fractional_shift(still, ways)
        pairs = [
            [cut(one, border) for one in (still, _back(maps, ways, protocol))]
            for maps in (moved, exact)
        ]
        varying = (one - one.mean((2, 3), keepdim=True) for one in pairs[0])
        return Equivariance(cosine(*pairs[0]), cosine(*varying), cosine(*pairs[1]))


def _usual_border(protocol: str, ways: Float[Tensor, "n 2"]) -> int:
    """Pixels that are no feature of both views, or not as the paper takes it."""
    if protocol == "crop":
        return math.ceil(ways.abs().max().item()) + _BORDER
    return _BORDER if protocol == "paper" else 0


def _back(
    maps: Float[Tensor, "n d h w"], ways: Float[Tensor, "n 2"], protocol: str
) -> Float[Tensor, "n d h w"]:
    """The maps moved back, as the protocol does."""
    once = (Ratio(1, 1),) * 2
    if protocol == "crop":
        kernel = SincKernel(_WINDOW, ndim=1)
        return moved_back(maps, ways, once, "replicate", kernel)
    if protocol == "paper":
        return moved_back(maps, ways, once, "zeros")
    return fractional_shift(maps, -ways)


@no_type_check
@torch.no_grad()
def same_class(
    model: Callable[[Tensor], Tensor],
    images: Float[Tensor, "n c h w"],
    shift: float | tuple[float, float] | Tensor,
    *,
    protocol: str = "fractional",
) -> Float[Tensor, " n"]:
    """Whether a network finds the same class after a shift, by one of four protocols.

    The mean is the rate that the literature calls consistency. `class_consistency`
    draws two shifts for each image.

    Args:
        model: From images to scores of classes ``[n, classes]``. It is used as it is:
            call ``.eval()`` before. No gradients are kept.
        images: ``[n, c, h, w]``, all at once. With ``"crop"`` the network is given
            smaller ones.
        shift: As for `equivariance`.
        protocol: How images are shifted, as for `equivariance`.

    Returns:
        ``[n]``, 1 for each image that is of the same class after the shift, else 0.

    Raises:
        TypeError: If ``model`` cannot be called, or images or scores are no
            floating-point tensors.
        ValueError: If shapes do not fit, there is no such protocol, the shift is not
            less than the image or not whole, or a score is NaN.

    Example:
        >>> from contconv.metrics import same_class
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Conv2d(3, 10, 3, padding=1, padding_mode="circular"),
        ...     torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        ... )
        >>> same_class(model, torch.rand(20, 3, 32, 32), 5, protocol="circular").mean()
        tensor(1.)
    """
    check_callable(model, "model")
    views = views_of(images, shift, protocol)
    classes = [classes_of(model, one) for one in (views.still, views.moved)]
    return (classes[0] == classes[1]).float()
