"""The rivals against what their papers say, written out."""

import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from contconv import resize
from experiments.shared.enlargers import NAMES, QUICK, new
from experiments.shared.rivals import Cubic, LocalImplicit, MetaUpscale, Shuffle, cubic

IMAGES = torch.rand(2, 3, 7, 9)


def randomized(model: torch.nn.Module) -> torch.nn.Module:
    """No layer starts small, so that an error in any shows."""
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(7, 9), (16, 13), (70, 45)])
@torch.no_grad()
def test_any_size(name, size):
    made = new(name, QUICK)(IMAGES, size=size)
    assert made.shape == (2, 3, *size)
    assert made.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_starts_near_cubic_resizing(name):
    made = new(name, QUICK)(IMAGES, size=(28, 36))
    assert (made - cubic(IMAGES, (28, 36))).square().mean().sqrt() < 0.25


def test_cubic():
    expected = resize(IMAGES, size=(16, 13), antialias=False)
    assert torch.equal(Cubic()(IMAGES, size=(16, 13)), expected)


@pytest.mark.parametrize(
    ("size", "factor"),
    [((7, 9), 2), ((14, 18), 2), ((15, 18), 3), ((14, 36), 4), ((56, 72), 4)],
)
@torch.no_grad()
def test_shuffle_takes_the_factor_that_reaches(size, factor):
    model = randomized(Shuffle(4, 1, (2, 3, 4)))
    assert isinstance(model, Shuffle)
    first, _, _, last = model.heads[str(factor)]  # type: ignore
    whole = F.pixel_shuffle(first(model.encoder(IMAGES)), factor)
    whole = last(whole.relu()) + cubic(IMAGES, (7 * factor, 9 * factor))
    expected = resize(whole, size=size)
    torch.testing.assert_close(model(IMAGES, size=size), expected)


def liif(model: LocalImplicit, images: Tensor, size: tuple[int, int]) -> Tensor:
    """LIIF as its authors compute it: coordinates in -1..1, four shifted queries."""
    features = model.encoder(images)
    n, c, height, width = features.shape
    features = F.unfold(features, 3, padding=1).view(n, 9 * c, height, width)
    coordinates, cell = centres(size), torch.tensor([2 / size[0], 2 / size[1]])
    pixels = centres((height, width)).view(1, height, width, 2).permute(0, 3, 1, 2)
    shape = torch.tensor([height, width])
    sides, colours, areas = 1 / shape, [], []
    for shift in product((-1.0, 1.0), repeat=2):
        moved = coordinates + torch.tensor(shift) * sides
        moved = (moved + 1e-6).clamp(-1 + 1e-6, 1 - 1e-6)
        near, place = (
            nearest(of, moved) for of in (features, pixels.expand(n, -1, -1, -1))
        )
        distance = (coordinates - place) * shape
        inputs = [near, distance, (cell * shape).expand_as(distance)]
        colours.append(layers(model, torch.cat(inputs, -1)))
        areas.append(distance.prod(-1).abs() + 1e-9)
    weights = torch.stack(areas[::-1])[..., None] / torch.stack(areas).sum(0)[..., None]
    made = (torch.stack(colours) * weights).sum(0)
    return made.transpose(1, 2).reshape(n, 3, *size)


def layers(model: LocalImplicit, inputs: Tensor) -> Tensor:
    """The network, of all its inputs at once; distances are halves of pixels there."""
    weight = [model.of_features.weight.flatten(1), model.of_places.weight / 2]
    data = F.linear(inputs, torch.cat(weight, 1), model.of_features.bias)
    for layer in (*model.layers, model.colours):
        data = layer(data.relu())
    return data


def centres(size: tuple[int, int]) -> Tensor:
    y, x = (-1 + (2 * torch.arange(pixels) + 1) / pixels for pixels in size)
    return torch.cartesian_prod(y, x)


def nearest(values: Tensor, at: Tensor) -> Tensor:
    grid = at.flip(-1).expand(len(values), 1, -1, -1)
    found = F.grid_sample(values, grid, mode="nearest", align_corners=False)
    return found[:, :, 0].transpose(1, 2)


def inner(out: int, pixels: int) -> slice:
    """Where output pixels lie between the centres of the outermost input pixels."""
    edge = math.ceil(out / (2 * pixels))
    return slice(edge, out - edge)


@pytest.mark.parametrize("size", [(18, 25), (7, 30)])
@torch.no_grad()
def test_liif_is_that_of_its_authors(size):
    """But for the outer half of the outermost pixels, which it treats otherwise."""
    model = randomized(LocalImplicit(4, 1, hidden=8))
    assert isinstance(model, LocalImplicit)
    found = model(IMAGES, size=size) - cubic(IMAGES, size)
    y, x = map(inner, size, IMAGES.shape[2:])
    expected = liif(model, IMAGES, size)
    torch.testing.assert_close(found[..., y, x], expected[..., y, x])


@torch.no_grad()
def test_meta_sr_is_a_filter_for_each_pixel():
    model = randomized(MetaUpscale(4, 1, hidden=8))
    assert isinstance(model, MetaUpscale)
    size = (16, 25)
    found = model(IMAGES, size=size) - cubic(IMAGES, size)
    padded = F.pad(model.encoder(IMAGES), (1, 1, 1, 1))
    for row, column in ((0, 0), (3, 24), (8, 11), (15, 2)):
        y, x = (row + 0.5) * 7 / 16 - 0.5, (column + 0.5) * 9 / 25 - 0.5
        top, left = round(y), round(x)
        places = torch.tensor([y - top, x - left, 7 / 16, 9 / 25])
        filters = model.filters(places).view(3, 4, 3, 3)
        around = padded[:, :, top : top + 3, left : left + 3]
        expected = torch.einsum("ncij,ocij->no", around, filters)
        torch.testing.assert_close(found[:, :, row, column], expected)


@pytest.mark.parametrize("new", [LocalImplicit, MetaUpscale])
@torch.no_grad()
def test_chunks_change_nothing(new):
    model = randomized(new(4, 1, hidden=8))
    whole = model(IMAGES, size=(11, 20))
    model.chunk = 7  # type: ignore
    torch.testing.assert_close(model(IMAGES, size=(11, 20)), whole)


@pytest.mark.parametrize("new", [LocalImplicit, MetaUpscale])
@torch.no_grad()
def test_loss_of_all_pixels(new):
    model = randomized(new(4, 1, hidden=8))
    targets = torch.rand(2, 3, 11, 20)
    expected = (model(IMAGES, size=(11, 20)) - targets).abs().mean()
    torch.testing.assert_close(model.loss(IMAGES, targets), expected)  # type: ignore
