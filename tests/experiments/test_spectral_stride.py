"""DiffStride's pooling: waves below its edge stay as they are, and its gradient."""

import torch
from torch.autograd import gradcheck

from experiments.shared.spectral_stride import SpectralStride, cropped


def wave(size: int, turns: int) -> torch.Tensor:
    """So many turns downwards over all pixels, on rows of one number."""
    line = torch.arange(size, dtype=torch.float64) / size
    return torch.cos(2 * torch.pi * turns * line).expand(1, 1, size, size).mT


def test_waves_below_the_edge_stay():
    """Up to 12 turns on 32 pixels; and a part of what has 14."""
    pool = SpectralStride(0.78, learns=True).double()
    for turns, part in ((0, 1), (5, 1), (12, 1), (14, 0.62)):
        out = pool(wave(32, turns))
        assert out.shape == (1, 1, 32, 32)  # the soft edge reaches the end
        torch.testing.assert_close(out, part * wave(32, turns), rtol=0, atol=1e-6)
    out = SpectralStride(0.52, learns=False).double()(wave(32, 7))
    assert out.shape == (1, 1, 24, 24)
    torch.testing.assert_close(out, wave(24, 7))


def test_the_gradient_of_the_scale():
    pool = SpectralStride(0.4, learns=True).double()
    maps = torch.randn(1, 2, 32, 27, dtype=torch.float64)

    def function(log: torch.Tensor) -> torch.Tensor:
        own = {"learnable_scale.log": log}
        return torch.func.functional_call(pool, own, (maps,))

    log = pool.learnable_scale.log.detach().clone().requires_grad_()
    assert gradcheck(function, (log,))


def test_cropped_keeps_the_mean():
    maps = torch.rand(2, 3, 20, 21)
    for shape in ((8, 9), (7, 4), (20, 21)):
        out = cropped(torch.fft.rfft2(maps), maps.shape[2:], shape)
        torch.testing.assert_close(out.mean((2, 3)), maps.mean((2, 3)))
