"""convert(antialias=True): features that move as the image does, and the way back."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from contconv import convert
from contconv.kernels import BandlimitedKernel
from contconv.metrics import fractional_shift
from contconv.nn import AliasFree, ContinuousConv2d


class Block(nn.Module):
    """A residual block, as of a ResNet, at a border that is circular."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        ring = {"padding": 1, "padding_mode": "circular"}
        self.conv1 = nn.Conv2d(before, after, 3, stride, **ring)
        self.conv2 = nn.Conv2d(after, after, 3, **ring)
        self.down = nn.Conv2d(before, after, 1, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.conv2(self.relu(self.conv1(x))) + self.down(x))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, padding_mode="circular"),
        nn.ReLU(),
        Block(16, 24, 2),
        nn.AvgPool2d(2),
        Block(24, 24, 1),
    ).eval()


def images() -> torch.Tensor:
    noise = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    around = functional.pad(noise, (1, 1, 1, 1), mode="circular")
    return functional.avg_pool2d(around, 3, 1) - 0.5


@torch.no_grad()
def worst(features, images) -> float:
    """The lowest similarity of what varies, over some shifts."""
    still, found = features(images), []
    for shift in (0.25, 1, 2.6, 5):
        moved = features(fractional_shift(images, shift))
        back = fractional_shift(moved, -shift * still.shape[3] / images.shape[3])
        a, b = ((x - x.mean((2, 3), keepdim=True)).flatten(1) for x in (still, back))
        found.append(functional.cosine_similarity(a, b).mean().item())
    return min(found)


def test_features_move_as_the_image_does():
    model, x = network(), images()
    before = worst(model, x)
    report = convert(model, antialias=True, example=x)
    assert before < 0.6 and worst(model, x) > 0.98, report
    text = str(report)
    assert "2.conv1: Conv2d -> ContinuousConv2d; scale 0.5" in text
    assert "2.relu: ReLU -> AliasFree; at 2 times the pixels" in text
    assert "3: AvgPool2d -> ContinuousConv2d" in text and "low-passed" in text


def test_the_taps_stay_and_so_does_the_way_back():
    model, x = network(), images()
    state, before = model.state_dict(), model(x)
    report = convert(model, antialias=True, example=x)
    layer = model.get_submodule("2.conv1")
    assert isinstance(layer, ContinuousConv2d)
    assert isinstance(layer.kernel, BandlimitedKernel)
    assert torch.equal(torch.as_tensor(layer.weight), state["2.conv1.weight"])
    after = model(x)
    model.load_state_dict(state)
    assert torch.equal(model(x), after) and after.shape == before.shape
    assert torch.equal(report.undo()(x), before)


def test_an_average_comes_to_the_same_for_what_varies_slowly():
    """A low-pass filter has the mean's place, to a hundredth, at the same pixels."""
    ramp = torch.linspace(0, 1, 24).expand(1, 2, 24, 24)
    model = nn.Sequential(nn.AvgPool2d(3))
    before = model(ramp)
    convert(model, antialias=True, example=ramp)
    inner = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(model(ramp)[inner], before[inner], atol=0.005, rtol=0)


def test_a_maximum_is_taken_at_every_pixel_first():
    pool = nn.MaxPool2d(3, 2, 1)
    model, x = nn.Sequential(pool), torch.rand(1, 2, 17, 18)
    shape = model(x).shape
    convert(model, antialias=True, example=x)
    dense, layer = model[0].children()
    assert dense.stride == 1 and isinstance(layer, ContinuousConv2d)
    assert model(x).shape == shape
    constant = torch.ones(1, 2, 17, 18)
    torch.testing.assert_close(
        model(constant), torch.ones(shape), atol=2e-3, rtol=0
    )  # the weights add up to one, nearly


def test_where_chooses_activations_too():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.ReLU())
    convert(model, where=lambda name, _: name == "1", antialias=True)
    assert isinstance(model[1], AliasFree) and type(model[0]) is nn.Conv2d
    convert(model, where=lambda name, _: name == "1", antialias=True)
    assert type(model[1].activation) is nn.ReLU


@pytest.mark.parametrize("axes", [1, 3])
def test_other_dimensions(axes):
    conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    model = nn.Sequential(conv(2, 3, 3, 2, 1), nn.GELU())
    x = torch.rand(1, 2, *[9, 8, 7][:axes])
    shape = model(x).shape
    convert(model, antialias=True)
    assert model(x).shape == shape and model[1].ndim == axes


def test_enlargements_do_not_alias():
    model = nn.Sequential(nn.ConvTranspose2d(3, 4, 4, 2, 1))
    x = torch.rand(1, 3, 8, 8)
    before = model(x)
    convert(model, antialias=True)
    torch.testing.assert_close(model(x), before)
