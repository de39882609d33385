"""Masks: the nearest pixel, of two the later one, in exact fractions and PyTorch's."""

import math
from fractions import Fraction

import pytest
import torch
from torch.nn.functional import interpolate

from contconv import resize
from contconv._grid.padding import PADDING_MODES
from tests.oracle import padded, position

DTYPES = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
DTYPES += [torch.uint16, torch.uint32, torch.uint64, torch.float16, torch.float64]


@pytest.mark.parametrize("mode", [None, *PADDING_MODES])
@pytest.mark.parametrize("align", ["center", "edge", "first"])
@pytest.mark.parametrize("scale", ["1/2", "2/3", "3/7", "1", "5/3", "2", "1/20"])
def test_exact_fractions(scale, align, mode):
    """Also with more pixels than the input has, on both sides."""
    scale, line = Fraction(scale), list(range(1, 10))
    for size in (None, 1, 31):
        count = math.ceil(9 * scale) if size is None else size
        first = {
            "center": position(0, 9, count, scale),
            "edge": (1 / scale - 1) / 2,
            "first": Fraction(0),
        }[align]
        near = [math.floor(first + n / scale + Fraction(1, 2)) for n in range(count)]
        out = resize(
            torch.tensor([[line]]),
            scale=scale,
            size=size,
            kernel="nearest",
            padding_mode=mode,
            align=align,
        )
        expected = [padded(line, m, mode or "replicate") for m in near]
        assert out[0, 0].tolist() == expected


@pytest.mark.parametrize("size", [(16, 4), (5, 32), (1, 3), (64, 8)], ids=str)
def test_is_interpolate(size):
    """At powers of two its positions have no rounding."""
    image = torch.rand(2, 3, 16, 8)
    for one in (image, image.to(memory_format=torch.channels_last)):
        expected = interpolate(one, size=size, mode="nearest-exact")
        out = resize(one, size=size, kernel="nearest")
        if size != (1, 3) and size != (5, 32):
            assert torch.equal(out, expected)
        assert out.stride() == expected.stride()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_any_dtype(dtype):
    """The largest labels, too: no number is changed on its way."""
    if dtype == torch.bool or dtype.is_floating_point:
        labels = torch.tensor([0, 1, 1, 0]).to(dtype)
    else:
        most = torch.iinfo(dtype).max
        labels = torch.tensor([0, most, most - 1, 1], dtype=dtype)
    mask = labels.repeat(4, 1)[None, None]
    out = resize(mask, scale=(0.5, 1.5), kernel="nearest")
    assert out.dtype == dtype and out.shape == (1, 1, 2, 6)
    assert out[0, 0, 0].tolist() == [labels.tolist()[i] for i in (0, 1, 1, 2, 3, 3)]


def test_differentiable():
    image = torch.rand(1, 1, 4, dtype=torch.float64, requires_grad=True)
    out = resize(image, size=2, kernel="nearest")
    (gradient,) = torch.autograd.grad(out.sum(), image)
    assert gradient.tolist() == [[[0, 1, 0, 1]]]


def test_others_send_labels_there():
    with pytest.raises(TypeError, match='resize labels with kernel="nearest"'):
        resize(torch.zeros(1, 1, 4, dtype=torch.int64), scale=2)
