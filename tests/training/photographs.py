"""Photographs and recipes of the tests that train networks to enlarge."""

import torch
from PIL import Image

from training.superres.photographs import Photographs
from training.superres.recipe import Recipe

EVERY = slice(None)


def waves(height: int = 130, width: int = 140) -> torch.Tensor:
    """A picture so smooth that its values are known between the pixels."""
    y, x = torch.arange(height)[:, None], torch.arange(width)[None]
    channels = [
        (y / 23).sin() + (x / 31).cos(),
        (x / 19 + y / 37).sin(),
        (y / 41 - x / 29).cos(),
    ]
    return (128 + 55 * torch.stack(channels)).to(torch.uint8)


def photographs(count: int = 4) -> Photographs:
    windows = waves(130, 250).unfold(2, 140, 20).unbind(2)
    return Photographs(tuple(windows[i].contiguous() for i in range(count)))


def small(**options) -> Recipe:
    options = {"epochs": 2, "steps": 4, "batch_size": 3, "patch": 12, **options}
    return Recipe(held_out=1, **options)


def write(folder):
    """The photographs as files."""
    folder.mkdir()
    for i, image in enumerate(photographs()):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i}.png")
    return folder
