"""Pairs of a small and a large patch that show the same, at any scale."""

import math
from fractions import Fraction

import torch
from torch import Tensor

from contconv import resize
from training.batches import chance
from training.errors import DataError
from training.superres.photographs import Photographs
from training.superres.recipe import Recipe


class Crops:
    """Random patches of photographs, and what they are made small to.

    A large patch is cut out with a margin, and made small by `contconv.resize` in 8
    bits, on the grid of Eq. 2 that is centred on it: so the small patch shows the same
    part, to the last sub-pixel, and its border is made from pixels beyond it.

    Args:
        photographs: They are cut from; those too small for it are not.
        recipe: The setting.

    Raises:
        DataError: If all are too small.
    """

    def __init__(self, photographs: Photographs, recipe: Recipe) -> None:
        self.recipe = recipe
        least = _with_margin(math.ceil(recipe.patch * recipe.scales[1]), recipe.patch)
        self.images = [p for p in photographs if min(p.shape[1:]) >= least]
        if not self.images:
            raise DataError(
                f"no photograph has {least} pixels on both sides; that is what patches "
                f"of {recipe.patch} pixels at a scale of {recipe.scales[1]:g} take"
            )

    def batch(self, epoch: int, step: int, part: slice) -> tuple[Tensor, Tensor]:
        """The small and the large patches of a part of one batch.

        What is drawn depends on seed, epoch and step alone.

        Returns:
            ``[n, 3, patch, patch]`` and ``[n, 3, height, width]``, uint8.
        """
        recipe = self.recipe
        draw = chance(recipe.seed, epoch, step)
        size = _sizes(recipe, draw)
        height, width = (_with_margin(pixels, recipe.patch) for pixels in size)
        every = [self._cut(draw, (height, width)) for _ in range(recipe.batch_size)]
        cut = torch.stack(every[part])
        scale = [Fraction(recipe.patch, pixels) for pixels in size]
        small = resize(cut, scale=scale, size=recipe.patch)
        return small, _centre(cut, size)

    def _cut(self, draw: torch.Generator, size: tuple[int, int]) -> Tensor:
        """A patch of this size, flipped at random, its axes swapped at random."""
        which, y, x = torch.rand(3, generator=draw, dtype=torch.float64).tolist()
        flip_y, flip_x, swap = torch.randint(2, (3,), generator=draw).tolist()
        image = self.images[int(which * len(self.images))]
        image = image.transpose(1, 2) if swap else image
        top, left = (
            int(place * (whole - part + 1))
            for place, whole, part in zip((y, x), image.shape[1:], size, strict=True)
        )
        patch = image[:, top : top + size[0], left : left + size[1]]
        return patch.flip([axis for axis, flip in ((1, flip_y), (2, flip_x)) if flip])


def _sizes(recipe: Recipe, draw: torch.Generator) -> tuple[int, int]:
    """Height and width of the large patches of a batch."""
    low, high = recipe.scales
    if recipe.whole:
        scale = int(torch.randint(int(low), int(high) + 1, (), generator=draw))
        return recipe.patch * scale, recipe.patch * scale
    y, x, alike = torch.rand(3, generator=draw, dtype=torch.float64).tolist()
    places = (y, y if alike < 0.5 else x)
    sizes = [round(recipe.patch * (low + place * (high - low))) for place in places]
    return sizes[0], sizes[1]


def _with_margin(pixels: int, patch: int) -> int:
    """With what the outermost small pixels are made from, on both sides."""
    return pixels + 2 * (math.ceil(2 * pixels / patch) + 1)


def _centre(images: Tensor, size: tuple[int, ...]) -> Tensor:
    top, left = (
        (whole - part) // 2 for whole, part in zip(images.shape[2:], size, strict=True)
    )
    return images[:, :, top : top + size[0], left : left + size[1]]
