"""Pictures as they come: each harm alone, where it falls, and how often."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from training.superres.crops import Crops
from training.superres.degradations import Degradation, jpeg
from training.superres.photographs import Photographs
from training.superres.recipe import Recipe

NOTHING = {"resized": 0, "blurred": 0, "noisy": 0, "compressed": 0}


def slope(height: int = 40, width: int = 48) -> torch.Tensor:
    """Values that rise along x, and differ by channel."""
    ramp = torch.linspace(20, 230, width).expand(height, width)
    return torch.stack([ramp, 255 - ramp, ramp / 2]).round().to(torch.uint8)


def rough() -> torch.Tensor:
    """With something in it that each harm changes."""
    chance = torch.Generator().manual_seed(1)
    noise = torch.randint(-12, 13, (3, 40, 48), generator=chance)
    return (slope() + noise).clamp(0, 255).to(torch.uint8)


def changed(image=None, *, seed=5, **options) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    image = slope() if image is None else image
    return Degradation(**{**NOTHING, **options}).apply(image, draw)


def test_each_harm_alone():
    assert torch.equal(changed(), slope())
    for name in NOTHING:
        several = [changed(rough(), seed=seed, **{name: 1.0}) for seed in range(4)]
        assert all(one.dtype == torch.uint8 for one in several)
        apart = [(one.float() - rough()).abs().mean().item() for one in several]
        assert max(apart) > 0.5 and max(apart) < 8, (name, apart)
        assert len(set(apart)) > 1, name
        assert torch.equal(several[3], changed(rough(), seed=3, **{name: 1.0})), name
    # Noise has no direction; blur leaves a slope, but for its ends.
    noise = changed(noisy=1.0, noise=20.0).float() - slope()
    assert noise.std() > 1 and abs(noise.mean()) < 1
    blur = changed(blurred=1.0)[:, :, 4:-4].float() - slope()[:, :, 4:-4]
    assert blur.abs().max() <= 1


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0"])
def test_jpeg_is_pillows(sampling):
    pixels = torch.randint(256, (3, 19, 30), dtype=torch.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(
        file, "JPEG", quality=60, subsampling=sampling
    )
    expected = np.asarray(Image.open(file))
    made = jpeg(pixels, 60, sampling)
    assert np.array_equal(made.permute(1, 2, 0).numpy(), expected)


def test_blocks_begin_where_they_are_told():
    """At the lowest quality every block of a slope is flat."""
    for shift in ((0, 0), (3, 5)):
        made = jpeg(slope()[:, :32, :40], 1, "4:4:4", shift=shift).float()
        steps = (made[:, :, 1:] - made[:, :, :-1]).abs().sum((0, 1))
        places = set((steps > 30).nonzero()[:, 0].add(1).tolist())
        assert places and {(x + shift[1]) % 8 for x in places} == {0}


def test_a_share_of_the_small_patches():
    photograph = torch.randint(256, (3, 90, 90), dtype=torch.uint8)
    recipe = {"patch": 16, "scales": (2, 2), "batch_size": 60, "held_out": 1}
    batches = []
    for share in (0.0, 0.5):
        crops = Crops(Photographs((photograph,)), Recipe(**recipe, degraded=share))
        batches.append(crops.batch(0, 1, slice(None)))
        parts = [crops.batch(0, 1, part)[0] for part in (slice(0, 7), slice(7, None))]
        assert torch.equal(torch.cat(parts), batches[-1][0])
    (clean, large), (small, same) = batches
    assert torch.equal(large, same)
    differ = (clean != small).flatten(1).any(1).sum()
    assert 15 < differ < 40
