"""A long line of few channels: the same bits as pixel by pixel, in a moment."""

import sys
from fractions import Fraction

import pytest
import torch

from contconv import resize
from contconv.kernels import CubicKernel, GaussianKernel, LanczosKernel

# The function of the same name hides it.
resize_module = sys.modules[resize.__module__]

SIZE = 2**17 + 5
KERNELS = {
    "cubic": CubicKernel(ndim=1),
    "lanczos": LanczosKernel(3, ndim=1),
    "gaussian": GaussianKernel(0.5, ndim=1),
}


@pytest.mark.parametrize("padding_mode, align", [("zeros", "first"), (None, "center")])
@pytest.mark.parametrize("scale", [Fraction(2, 3), Fraction(441, 480), Fraction(7, 5)])
@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_as_pixel_by_pixel(kernel, scale, padding_mode, align, monkeypatch):
    """Which is what PyTorch's operators differentiate."""
    monkeypatch.setattr(resize_module, "suits_library", lambda _: False)
    line = torch.randn(1, 2, SIZE)
    options = {"kernel": kernel, "padding_mode": padding_mode, "align": align}
    out = resize(line, scale=scale, **options)
    pixel_by_pixel = resize(line.requires_grad_(), scale=scale, **options)
    assert pixel_by_pixel.requires_grad
    assert torch.equal(out, pixel_by_pixel)


def test_rounded_as_a_batch_of_lines_is():
    lines = torch.randint(256, (1, 1, SIZE), dtype=torch.uint8)
    lines = torch.cat([lines, 255 - lines], 1)
    for scale in (Fraction(1, 3), Fraction(7, 5)):
        whole = resize(lines.repeat(1, 40, 1), scale=scale, kernel=KERNELS["cubic"])
        assert torch.equal(
            resize(lines, scale=scale, kernel=KERNELS["cubic"]), whole[:, :2]
        )


def test_a_picture_of_one_row():
    row = torch.rand(1, 1, 1, SIZE)
    line = resize(row[:, :, 0], scale=0.7, kernel=KERNELS["cubic"])
    assert torch.equal(resize(row, scale=(1, 0.7))[:, :, 0], line)


def test_a_nan_reaches_what_it_touches():
    line = torch.rand(1, 1, SIZE)
    line[0, 0, 3000] = float("nan")
    reached = [
        resize(
            part, scale=Fraction(3, 2), kernel=KERNELS["cubic"], align="edge"
        ).isnan()
        for part in (line, line[..., :4000])
    ]
    assert reached[0].nonzero().tolist() == reached[1].nonzero().tolist() != []
