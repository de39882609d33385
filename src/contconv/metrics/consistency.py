"""class_consistency: how often the predicted class survives a shift."""

from collections.abc import Callable

import torch
from torch import Tensor

from contconv._runtime.shapes import Float, Int, no_type_check
from contconv.metrics.checks import check_output
from contconv.metrics.shifts import check_call, random_shifts, shifted


@no_type_check
@torch.no_grad()
def class_consistency(
    model: Callable[[Tensor], Tensor],
    images: Float[Tensor, "n c h w"],
    max_shift: int,
    *,
    padding_mode: str = "circular",
    generator: torch.Generator | None = None,
) -> Float[Tensor, " n"]:
    """Whether two shifts of the same image are of the same class to a network.

    The consistency of Zhang (2019, "Making Convolutional Networks Shift-Invariant
    Again", Sec. 4.1) is the mean of this: the share of images whose two copies, each
    shifted by a random vector of its own, get the highest score in the same class.
    Labels play no part. As in Zhang's measurement both shifts are drawn independently,
    so that the two are equal once in ``(2 * max_shift + 1) ** 2`` times, and on small
    images they are circular, which loses nothing of the image.

    Args:
        model: From images to scores of classes ``[n, classes]``. It is used as it is:
            call ``.eval()`` before, where it has layers that act differently in
            training. No gradients are kept.
        images: ``[n, c, h, w]``; all at once, so pass what fits into memory.
        max_shift: In pixels, less than the size of the images. Each image gets two
            shifts of its own, uniform in the whole numbers from ``-max_shift`` to
            ``max_shift``, in each axis.
        padding_mode: What enters the image where it leaves: ``"circular"``,
            ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"symmetric"``.
        generator: Where the shifts are drawn from; the global one unless given.

    Returns:
        ``[n]``, 1 for each image whose two copies are of the same class, else 0.

    Raises:
        TypeError: If ``model`` cannot be called, or images or scores are no
            floating-point tensors.
        ValueError: If shapes do not fit, ``max_shift`` is negative or not less than the
            image, or a score is NaN.

    Example:
        >>> from contconv.metrics import class_consistency
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Conv2d(3, 10, 3), torch.nn.AdaptiveAvgPool2d(1),
        ...     torch.nn.Flatten(),
        ... )
        >>> consistency = class_consistency(model, torch.rand(20, 3, 32, 32), 4)
        >>> consistency.shape, bool(consistency.mean() > 0.5)
        (torch.Size([20]), True)
    """
    max_shift = check_call(model, "model", images, max_shift, padding_mode)
    classes = []
    for _ in range(2):
        shifts = random_shifts(images, max_shift, generator)
        classes.append(classes_of(model, shifted(images, shifts, padding_mode)))
    return (classes[0] == classes[1]).float()


def classes_of(
    model: Callable[[Tensor], Tensor], images: Float[Tensor, "n c h w"]
) -> Int[Tensor, " n"]:
    """The class of each image with the highest score."""
    scores = model(images)
    check_output(scores, "scores", ("classes",), images)
    if scores.isnan().any():
        raise ValueError(
            "scores must be numbers, got NaN for "
            f"{int(scores.isnan().any(1).sum())} of {len(images)} images"
        )
    return scores.argmax(1)
