"""What the metrics refuse, and what they say."""

from numbers import Integral
from typing import Any

from torch import Tensor


def check_images(images: Any, name: str = "images") -> None:
    """Raise unless it is a floating-point tensor ``[n, c, h, w]`` with pixels."""
    check_floating(images, name)
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(
            f"{name} must be [batch, channels, height, width] with at least 1 pixel, "
            f"got {tuple(images.shape)}"
        )


def check_floating(value: Any, name: str) -> None:
    """Raise unless it is a tensor of real floating-point numbers."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} must be a tensor, got {type(value).__name__}; convert it first, "
            "for instance with torch.as_tensor"
        )
    if not value.is_floating_point():
        raise TypeError(
            f"{name} must be a floating-point tensor, got {value.dtype}; convert it "
            "first, for instance with .float()"
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


def as_count(value: Any, name: str) -> int:
    """A whole number of at least 0; ``name`` is what errors call it."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"{name} must be a whole number, got {value!r} ({type(value).__name__})"
        )
    if value < 0:
        raise ValueError(f"{name} must be at least 0, got {value}")
    return int(value)


def check_callable(value: Any, name: str) -> None:
    """Raise unless it can be called."""
    if not callable(value):
        raise TypeError(
            f"{name} must be a function of images, such as a module, "
            f"got {type(value).__name__}"
        )
