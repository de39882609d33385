"""SpectralStride: DiffStride's pooling, whose stride is learned in the spectrum.

Riad et al. (2022, "Learning Strides in Convolutional Neural Networks"): features are
made smaller by leaving out high frequencies. The mask that does it has a soft edge,
which moves with the stride, and so tells it what more of the spectrum is worth.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from contconv import LearnableScale

# Frequencies over which the mask falls from one to zero; the authors'.
_EDGE = 4.0


class SpectralStride(nn.Module):
    """A pooling to the frequencies below half the scale.

    Args:
        scale: Output over input pixels at the beginning, at most 1.
        learns: Whether the scale is a parameter.
    """

    def __init__(self, scale: float, learns: bool) -> None:
        super().__init__()
        self.learnable_scale = LearnableScale((scale, scale), least=1 / 16, most=1.0)
        self.learnable_scale.requires_grad_(learns)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps ``[n, c, h, w]`` with as many pixels as the mask leaves frequencies."""
        shape = maps.shape[2:]
        scales = self.learnable_scale.per_axis(2)
        edges = [scale * size / 2 for scale, size in zip(scales, shape, strict=True)]
        rows = torch.fft.fftfreq(shape[0], 1 / shape[0], dtype=scales.dtype)
        columns = torch.arange(shape[1] // 2 + 1)
        mask = _mask(rows, edges[0])[:, None] * _mask(columns, edges[1])
        out = [
            min(size, 2 * math.floor(edge.item() + _EDGE))
            for size, edge in zip(shape, edges, strict=True)
        ]
        return cropped(torch.fft.rfft2(maps) * mask, shape, out)


def _mask(frequency: Tensor, edge: Tensor) -> Tensor:
    """One below the edge, zero from the soft edge's width beyond it on."""
    return ((edge + _EDGE - frequency.abs()) / _EDGE).clamp(0, 1)


def cropped(spectrum: Tensor, before: Sequence[int], after: Sequence[int]) -> Tensor:
    """Maps of another shape, with all frequencies of a spectrum that both hold."""
    most = [(min(pair) - 1) // 2 for pair in zip(before, after, strict=True)]
    columns = spectrum[..., : most[1] + 1]
    low = columns[:, :, : most[0] + 1]
    high = columns[:, :, before[0] - most[0] :]
    gap = spectrum.new_zeros(
        *spectrum.shape[:2], after[0] - 2 * most[0] - 1, most[1] + 1
    )
    kept = torch.cat([low, gap, high], 2)
    kept = nn.functional.pad(kept, (0, after[1] // 2 + 1 - kept.shape[3]))
    gain = math.prod(after) / math.prod(before)
    return torch.fft.irfft2(kept, s=list(after)) * gain
