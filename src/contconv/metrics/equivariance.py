"""shift_equivariance: how closely the features move as the image does."""

from collections.abc import Callable

import torch
from torch import Tensor

from contconv._grid.ratio import Scale, as_ratios
from contconv._runtime.arguments import as_count
from contconv._runtime.autocast import no_autocast
from contconv._runtime.shapes import Float, no_type_check
from contconv.metrics.maps import cosine, cut, map_of, moved_back, ratios_of
from contconv.metrics.shifts import check_call, random_shifts, shifted


@no_type_check
@torch.no_grad()
def shift_equivariance(
    features: Callable[[Tensor], Tensor],
    images: Float[Tensor, "n c h w"],
    max_shift: int,
    *,
    scale: Scale | None = None,
    border: int = 2,
    padding_mode: str = "zeros",
    generator: torch.Generator | None = None,
) -> Float[Tensor, " n"]:
    """How alike the features of an image and of the shifted image are.

    As in the paper (Table 1): each image is shifted by a whole number of pixels per
    axis, its feature map is shifted back by cubic interpolation, ``border`` pixels are
    cut off all around, and what remains is compared with the feature map of the image
    itself. A network that shrinks by 4 moves its feature map by a quarter of the shift.

    The paper does not say what enters the image where it leaves. By default it is
    zeros, as the padding of most networks has it: what they take to be there before the
    shift is what comes into view, and no edge appears within the image. On the other
    side the image loses up to ``max_shift`` pixels; the border should be as wide as
    these are in the feature map, as the paper's 2 are for its 8 pixels and networks
    that shrink by 4. For a network whose padding is circular, ``"circular"`` loses
    nothing.

    Args:
        features: From images to feature maps ``[n, d, h', w']``: a network, or a part
            of one. It is used as it is: call ``.eval()`` before, where it has layers
            that act differently in training. No gradients are kept.
        images: ``[n, c, h, w]``, photographs or noise; all at once, so pass what fits
            into memory.
        max_shift: In pixels, less than the size of the images. Each image gets a shift
            of its own, uniform in the whole numbers from ``-max_shift`` to
            ``max_shift``, in each axis.
        scale: Pixels of the feature map over pixels of the image, for both axes or for
            each: by how much the map moves when the image moves by a pixel. The size of
            the map over that of the image unless given. Give it where sizes were
            rounded up or cut: a network that shrinks by 4, but makes 10 pixels of 32,
            has a scale of 1/4, and not 10/32.
        border: Pixels of the feature map to cut off on every side.
        padding_mode: What enters, the image as it is shifted and the feature map as it
            is shifted back: ``"zeros"``, ``"reflect"``, ``"replicate"``, ``"circular"``
            or ``"symmetric"``.
        generator: Where the shifts are drawn from; the global one unless given.

    Returns:
        ``[n]``, the cosine similarity for each image, over all channels and pixels, 1
        if the features only move, 0 if there are none (all are zero).

    Raises:
        TypeError: If ``features`` cannot be called, images or features are no
            floating-point tensors, or a number is of a wrong type.
        ValueError: If shapes do not fit, ``max_shift`` is negative or not less than the
            image, the scale is not positive, or the border leaves nothing of the
            feature map.

    Example:
        >>> from contconv.metrics import shift_equivariance
        >>> images = torch.rand(10, 3, 32, 32)
        >>> blur = torch.nn.AvgPool2d(3, stride=1, padding=1)
        >>> bool(shift_equivariance(blur, images, 2, border=3).min() > 0.9999)
        True
        >>> fourth_pixel = torch.nn.MaxPool2d(1, stride=4)
        >>> bool(shift_equivariance(fourth_pixel, images, 2).mean() > 0.9)
        False
    """
    max_shift = check_call(features, "features", images, max_shift, padding_mode)
    border = as_count(border, "border")
    given = None if scale is None else as_ratios(scale, 2)
    shifts = random_shifts(images, max_shift, generator)
    still = map_of(features, images, border)
    moved = map_of(features, shifted(images, shifts, padding_mode), border)
    ratios = ratios_of(moved, images, given)
    with no_autocast(images.device.type):
        back = moved_back(moved, shifts, ratios, padding_mode)
        return cosine(cut(still, border), cut(back, border))
