"""AliasFree: an activation's new frequencies do not depend on where the pixels lie."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from contconv.metrics import fractional_shift
from contconv.nn import AliasFree


def waves(side: int = 32) -> torch.Tensor:
    """Features without the highest third of the frequencies."""
    noise = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    spectrum = torch.fft.rfft2(noise)
    most = side // 3
    spectrum[:, :, most : side - most + 1], spectrum[..., most:] = 0, 0
    return torch.fft.irfft2(spectrum, s=(side, side))


def variation(a: torch.Tensor, b: torch.Tensor) -> float:
    """How alike two maps are, but for their means."""
    a, b = ((x - x.mean((2, 3), keepdim=True)).flatten() for x in (a, b))
    return functional.cosine_similarity(a, b, 0).item()


def repr_of(activation) -> str:
    """A name that is the same in every process."""
    return getattr(activation, "__name__", type(activation).__name__)


@pytest.mark.parametrize("activation", [nn.ReLU(), torch.abs, nn.GELU()], ids=repr_of)
def test_moves_as_the_features_do(activation):
    """By half a pixel, the worst; beside the plain activation, a tenth is amiss."""
    free = AliasFree(activation, padding_mode="circular")
    amiss = []
    for act in (free, activation):
        moved = act(fractional_shift(waves(), 0.5))
        amiss.append(1 - variation(fractional_shift(moved, -0.5), act(waves())))
    assert amiss[0] < 0.1 * amiss[1]


def test_a_square_makes_no_wave_that_is_not_there():
    """Of 10 waves on 32 pixels: a constant and 20 waves, which would look like 12."""
    x = torch.arange(32) * (2 * torch.pi / 32)
    wave = torch.cos(10 * x).expand(1, 1, 32, 32)
    assert wave.square().std() > 0.35
    assert AliasFree(torch.square, padding_mode="circular")(wave).std() < 0.06


def test_one_and_three_axes_and_what_has_none():
    assert AliasFree(torch.tanh, ndim=1)(torch.rand(2, 3, 9)).shape == (2, 3, 9)
    volume = torch.rand(1, 2, 4, 5, 6)
    assert AliasFree(torch.tanh, ndim=3)(volume).shape == volume.shape
    row = torch.randn(4, 10)
    assert torch.equal(AliasFree(nn.ReLU())(row), row.relu())


@pytest.mark.plain
@pytest.mark.filterwarnings("ignore")  # those of torch.jit
def test_traced():
    """Sizes are tensors there."""
    layer, input = AliasFree(nn.ReLU(), 3), torch.randn(1, 2, 7, 6)
    traced: Any = torch.jit.trace(layer, input)
    torch.testing.assert_close(traced(input), layer(input))


def test_a_constant():
    out = AliasFree(nn.ReLU())(torch.full((1, 1, 5, 7), 2.0))
    torch.testing.assert_close(out, torch.full((1, 1, 5, 7), 2.0))


def test_gradients():
    torch.manual_seed(0)
    act = AliasFree(torch.tanh).double()
    input = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(act, input)


def test_bad_input():
    with pytest.raises(TypeError, match="activation must be a function"):
        AliasFree("relu")  # type: ignore
    with pytest.raises(ValueError, match="up must be at least 1, got 0"):
        AliasFree(nn.ReLU(), 0)
