"""Pairs of a small and a large patch that show the same, at any scale."""

import math
from fractions import Fraction

import torch
from torch import Tensor

from contconv import resize
from training.batches import chance
from training.errors import DataError
from training.superres.degradations import Degradation
from training.superres.photographs import Photographs
from training.superres.recipe import Recipe

DEGRADATION = Degradation()
# With several targets: the share of the batches whose first is at the highest scale,
# and how many times smaller than it others are at most. The encoder learns most from
# high scales; but what was made small by 4 is unlike what comes to be enlarged by 1.3.
_HIGHEST, _SMALLEST = 0.7, 1.6


class Crops:
    """Random patches of photographs, and what they are made small to.

    A large patch is cut out with a margin, and made small by `contconv.resize` in 8
    bits, on the grid of Eq. 2 that is centred on it: so the small patch shows the same
    part, to the last sub-pixel, and its border is made from pixels beyond it.

    Args:
        photographs: They are cut from; those too small for it are not.
        recipe: The setting.
        pages: Text and line art, from which the recipe's share of the patches is cut.

    Raises:
        DataError: If all photographs, or all pages, are too small.
    """

    def __init__(
        self, photographs: Photographs, recipe: Recipe, pages: Photographs | None = None
    ) -> None:
        self.recipe = recipe
        least = _least(recipe)
        self.images = [p for p in photographs if min(p.shape[1:]) >= least]
        self.pages = list(pages or ())
        if not self.images:
            raise DataError(
                f"no photograph has {least} pixels on both sides; that is what patches "
                f"of {recipe.patch} pixels at a scale of {recipe.highest:g} take"
            )

    def batch(self, epoch: int, step: int, part: slice) -> tuple[Tensor, ...]:
        """The small and the large patches of a part of one batch.

        What is drawn depends on seed, epoch and step alone.

        Returns:
            ``[n, 3, patch, patch]``, and ``[n, 3, height, width]`` for each target,
            uint8.
        """
        recipe = self.recipe
        draw = chance(recipe.seed, epoch, step)
        patch, size = _sizes(recipe, draw)
        others = [
            _smaller(recipe, draw, patch, size) for _ in range(recipe.targets - 1)
        ]
        height, width = (_with_margin(pixels, patch) for pixels in size)
        every = [self._cut(draw, (height, width)) for _ in range(recipe.batch_size)]
        cut = torch.stack(every[part])
        scale = [Fraction(patch, pixels) for pixels in size]
        small = resize(cut, scale=scale, size=patch)
        if recipe.degraded:
            # Each by its number in the whole batch, whoever makes it.
            numbers = range(recipe.batch_size)[part]
            small = torch.stack(
                [
                    self._degraded(one, chance(recipe.seed, epoch, step, number))
                    for one, number in zip(small, numbers, strict=True)
                ]
            )
        larges = [_centre(cut, size)]
        for other in others:
            scale = [Fraction(*sides) for sides in zip(other, size, strict=True)]
            larges.append(resize(cut, scale=scale, size=list(other)))
        return small, *larges

    def _degraded(self, small: Tensor, draw: torch.Generator) -> Tensor:
        if torch.rand((), generator=draw) >= self.recipe.degraded:
            return small
        return DEGRADATION.apply(small, draw)

    def _cut(self, draw: torch.Generator, size: tuple[int, int]) -> Tensor:
        """A patch of this size, flipped at random, its axes swapped at random."""
        which, y, x = torch.rand(3, generator=draw, dtype=torch.float64).tolist()
        flip_y, flip_x, swap = torch.randint(2, (3,), generator=draw).tolist()
        images = self.images
        if self.recipe.drawn:
            drawn = torch.rand((), generator=draw) < self.recipe.drawn
            images = self.pages if drawn else images
        image = images[int(which * len(images))]
        image = image.transpose(1, 2) if swap else image
        top, left = (
            int(place * (whole - part + 1))
            for place, whole, part in zip((y, x), image.shape[1:], size, strict=True)
        )
        patch = image[:, top : top + size[0], left : left + size[1]]
        return patch.flip([axis for axis, flip in ((1, flip_y), (2, flip_x)) if flip])


def _sizes(recipe: Recipe, draw: torch.Generator) -> tuple[int, tuple[int, int]]:
    """Sides of the small patches of a batch, and height and width of the large ones."""
    low, high = recipe.scales
    if recipe.whole:
        scale = int(torch.randint(int(low), int(high) + 1, (), generator=draw))
        patch = _small(recipe, scale)
        return patch, (patch * scale, patch * scale)
    y, x, alike = torch.rand(3, generator=draw, dtype=torch.float64).tolist()
    if recipe.targets > 1 and torch.rand((), generator=draw) < _HIGHEST:
        low = high
    if recipe.beyond and torch.rand((), generator=draw) < recipe.beyond:
        low, high = high, recipe.highest
    places = (y, y if alike < 0.5 else x)
    scales = [low + place * (high - low) for place in places]
    patch = _small(recipe, max(scales))
    return patch, (round(patch * scales[0]), round(patch * scales[1]))


def _smaller(
    recipe: Recipe, draw: torch.Generator, patch: int, size: tuple[int, int]
) -> tuple[int, int]:
    """Height and width of other large patches that show the same."""
    y, x, alike = torch.rand(3, generator=draw, dtype=torch.float64).tolist()
    places = (y, y if alike < 0.5 else x)
    lowest = round(patch * recipe.scales[0])
    leasts = (min(max(lowest, round(most / _SMALLEST)), most) for most in size)
    height, width = (
        round(least + place * (most - least))
        for place, least, most in zip(places, leasts, size, strict=True)
    )
    return height, width


def _small(recipe: Recipe, scale: float) -> int:
    """The side of small patches at a scale."""
    return min(recipe.patch, int(recipe.largest / scale))


def _least(recipe: Recipe) -> int:
    """The side of the largest picture that is cut out."""
    low, high = recipe.scales[1], recipe.highest
    return max(
        _with_margin(math.ceil(scale * _small(recipe, scale)), _small(recipe, scale))
        for scale in (low, high)
    )


def _with_margin(pixels: int, patch: int) -> int:
    """With what the outermost small pixels are made from, on both sides."""
    return pixels + 2 * (math.ceil(2 * pixels / patch) + 1)


def _centre(images: Tensor, size: tuple[int, ...]) -> Tensor:
    top, left = (
        (whole - part) // 2 for whole, part in zip(images.shape[2:], size, strict=True)
    )
    return images[:, :, top : top + size[0], left : left + size[1]]
