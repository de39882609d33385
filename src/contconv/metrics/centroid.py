"""centroid and drift: the centre of mass of an image, and how filters move it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from contconv._grid.ratio import Scale, as_ratios
from contconv._runtime.arguments import as_count, check_callable, check_floating
from contconv._runtime.shapes import Float, no_type_check
from contconv.metrics.checks import check_images


@no_type_check
def centroid(images: Float[Tensor, "*batch h w"]) -> Float[Tensor, "*batch 2"]:
    """The centre of mass of each image and channel, in pixels from the image's centre.

    Pixels are masses. Images of different sizes have their centres in common, so that
    the place of what was resized can be compared. Gradients flow to the images.

    Args:
        images: ``[..., h, w]``, such as ``[n, c, h, w]``.

    Returns:
        ``[..., 2]``, y and x, downwards and to the right, in float64.

    Raises:
        TypeError: If the images are no floating-point tensor.
        ValueError: If they have no height and width, or one has no mass: its sum is
            zero (to rounding) or not finite.

    Example:
        >>> from contconv.metrics import centroid
        >>> image = torch.zeros(1, 1, 5, 5)
        >>> image[0, 0, 3, 0] = 1
        >>> centroid(image)
        tensor([[[ 1., -2.]]], dtype=torch.float64)
    """
    check_floating(images, "images")
    if images.ndim < 2 or 0 in images.shape[-2:]:
        raise ValueError(
            "images must be [..., height, width] with at least 1 pixel, "
            f"got {tuple(images.shape)}"
        )
    return _centroid(images.double(), "images", images.dtype)


@no_type_check
@torch.no_grad()
def drift(
    operator: Callable[[Tensor], Tensor],
    image: Float[Tensor, "1 c h w"],
    steps: int,
    *,
    scale: Scale | None = None,
) -> Float[Tensor, "steps_and_1 2"]:
    """How far an operator moves the mass of an image, when it is applied repeatedly.

    As in the paper's Fig. 6, where a discrete filter of even size moves a cross by half
    a pixel each time, and a continuous one leaves it in its place. An operator may
    change the size: input and output are taken to have their centres in common, as they
    have in `contconv.continuous_conv`.

    Args:
        operator: From an image ``[1, c, h, w]`` to an image of any size and number of
            channels, to which it is applied again. No gradients are kept.
        image: ``[1, c, h, w]``; all channels count together.
        steps: How often the operator is applied.
        scale: Output over input pixels of a step, for both axes or for each; the sizes
            say it unless given. Give it where they were rounded up or cut: half of 25
            pixels are 13 pixels with a scale of 1/2, and not 13/25.

    Returns:
        ``[steps + 1, 2]`` in float64, the way (y, x) of the `centroid` since the start
        after 0, 1, ... steps, in pixels of ``image``, downwards and to the right.

    Raises:
        TypeError: If ``operator`` cannot be called, an image is no floating-point
            tensor, or a number is of a wrong type.
        ValueError: If a shape does not fit, an image has no mass, or a number is out of
            range.

    Example:
        >>> from contconv.metrics import drift
        >>> cross = torch.zeros(1, 1, 31, 31)
        >>> cross[..., 15, 10:21] = cross[..., 10:21, 15] = 1
        >>> gaussian = GaussianKernel(0.5, (4, 4))
        >>> way = drift(lambda image: continuous_conv(image, gaussian), cross, 5)
        >>> way.shape, bool(way.abs().max() < 1e-6)
        (torch.Size([6, 2]), True)
    """
    check_callable(operator, "operator")
    steps = as_count(steps, "steps")
    ratios = None if scale is None else as_ratios(scale, 2)
    start = _position(image, "image")
    ways = [torch.zeros_like(start)]
    current = image
    for step in range(1, steps + 1):
        current = operator(current)
        position = _position(current, f"the output of step {step}")
        if ratios is None:
            sizes = zip(image.shape[2:], current.shape[2:], strict=True)
            pixels = [before / now for before, now in sizes]
        else:
            pixels = [(down / up) ** step for up, down in ratios]
        ways.append(position * position.new_tensor(pixels) - start)
    return torch.stack(ways)


def _position(image: Any, name: str) -> Float[Tensor, " 2"]:
    """The centroid of one image over all its channels."""
    check_images(image, name)
    if len(image) != 1:
        raise ValueError(f"{name} must be a batch of 1 image, got {len(image)}")
    return _centroid(image[0].double().sum(0), name, image.dtype)


def _centroid(
    images: Float[Tensor, "*batch h w"], name: str, dtype: torch.dtype
) -> Float[Tensor, "*batch 2"]:
    """The centroid of images in float64 that were rounded to ``dtype`` before."""
    mass = images.sum((-2, -1))
    rounding = torch.finfo(dtype).eps
    # Written so that NaN fails, and infinity.
    if not (mass.abs() > rounding * images.abs().sum((-2, -1))).all():
        raise ValueError(
            f"{name} must have mass: a sum of pixels that is finite and not zero, "
            "also not to rounding"
        )
    centres = []
    for axis in (-2, -1):
        size = images.shape[axis]
        place = torch.arange(size, device=images.device) - (size - 1) / 2
        profile = images.sum(-3 - axis)  # over the other of the two axes
        centres.append((profile * place).sum(-1) / mass)
    return torch.stack(centres, -1)
