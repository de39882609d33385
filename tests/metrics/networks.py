"""What the tests of the metrics share: seeded noise, and what a model was given."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from contconv._grid.padding import PADDING_MODES

# What SciPy calls the padding modes.
SCIPY = dict(
    zip(
        PADDING_MODES,
        ["constant", "mirror", "nearest", "grid-wrap", "reflect"],
        strict=True,
    )
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=seeded(), dtype=dtype)


def nothing(images: Tensor) -> Tensor:
    return images


class Recorder:
    """A model that keeps what it was given."""

    def __init__(self, model: Callable[[Tensor], Tensor]) -> None:
        self.model, self.given = model, []

    def __call__(self, images: Tensor) -> Tensor:
        self.given.append(images)
        return self.model(images)


def shift_between(image: Tensor, moved: Tensor, reach: int, mode: str) -> Any:
    """The one shift of up to ``reach`` pixels by which SciPy makes the other image."""
    found = [
        (y, x)
        for y, x in itertools.product(range(-reach, reach + 1), repeat=2)
        if np.array_equal(
            ndimage.shift(image[0].numpy(), (y, x), order=0, mode=SCIPY[mode]),
            moved[0].numpy(),
        )
    ]
    assert len(found) == 1
    return found[0]
