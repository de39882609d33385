"""Checks of the arguments of metrics."""

from typing import Any

from torch import Tensor

from contconv._runtime.arguments import check_floating


def check_images(images: Any, name: str = "images") -> None:
    """Raise unless it is a floating-point tensor ``[n, c, h, w]`` with pixels."""
    check_floating(images, name)
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(
            f"{name} must be [batch, channels, height, width] with at least 1 pixel, "
            f"got {tuple(images.shape)}"
        )


def check_output(
    output: Any, name: str, shape: tuple[int | str, ...], images: Tensor
) -> None:
    """Raise unless a model gave a floating-point tensor of that shape for its images.

    A number in the shape has to fit; a word stands for any size.
    """
    check_floating(output, name)
    wanted = (len(images), *shape)
    fits = output.ndim == len(wanted) and all(
        isinstance(size, str) or size == have
        for size, have in zip(wanted, output.shape, strict=True)
    )
    if not fits:
        words = ", ".join(str(size) for size in wanted)
        raise ValueError(
            f"{name} must be [{words}] for {len(images)} images, "
            f"got {tuple(output.shape)}"
        )
