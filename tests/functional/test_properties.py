"""What holds for any size, scale, support, padding mode, dtype and layout."""

import math
from fractions import Fraction

import torch
from hypothesis import given
from hypothesis import strategies as st

from contconv import ContinuousConv1d, ContinuousConv2d, continuous_conv, resize
from contconv._grid.padding import PADDING_MODES
from contconv.kernels import CosineKernel
from tests.cases import HERE, refusal

sizes = st.integers(1, 9)
supports = st.integers(1, 6)
scales = st.one_of(
    st.floats(0.2, 4),
    st.integers(1, 4),
    st.fractions(Fraction(1, 5), 4, max_denominator=12),
)
modes = st.sampled_from(PADDING_MODES)
dtypes = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16])


@given(sizes, sizes, supports, supports, scales, scales, modes, st.integers(0, 2))
def test_engines_agree(h, w, ky, kx, sy, sx, mode, batch):
    torch.manual_seed(0)
    kernel = CosineKernel(2, 3, (ky, kx), dtype=torch.float64)
    image = torch.randn(batch, 2, h, w, dtype=torch.float64)
    options = {"scale": (sy, sx), "padding_mode": mode}
    leaves = [image.requires_grad_(), *kernel.parameters()]
    found = []
    for engine in HERE:
        if not refusal(engine, image, kernel, options):
            out = continuous_conv(image, kernel, **options, engine=engine)
            assert out.shape == (batch, 3, *out.shape[2:])
            found.append([out, *torch.autograd.grad(out.sin().sum(), leaves)])
    for values in found:
        torch.testing.assert_close(values, found[0])


@given(sizes, supports, scales, st.integers(1, 12), modes)
def test_flipping_an_even_kernel(size, support, scale, out_size, mode):
    """With cosines of even frequency alone: a flipped input gives a flipped output."""
    kernel = CosineKernel(1, 1, (support,), frequencies=5, dtype=torch.float64)
    with torch.no_grad():
        kernel.head[..., 1::2] = 0
    image = torch.randn(1, 1, size, dtype=torch.float64)
    options = {"scale": scale, "size": out_size, "padding_mode": mode}
    torch.testing.assert_close(
        continuous_conv(image.flip(2), kernel, **options).flip(2),
        continuous_conv(image, kernel, **options),
    )


@given(sizes, sizes, scales, dtypes, st.booleans(), st.booleans(), st.integers(0, 2))
def test_layers_keep_dtype_and_layout(h, w, scale, dtype, last, batched, batch):
    layer = ContinuousConv2d(2, 3, 3, dtype=dtype)
    image = torch.randn(batch, 2, h, w, dtype=dtype)
    if last:
        image = image.to(memory_format=torch.channels_last)
    out = layer(image if batched else torch.zeros(2, h, w, dtype=dtype), scale=scale)
    assert out.dtype == dtype and out.isfinite().all()
    if not batched:
        assert out.shape[0] == 3 and out.is_contiguous()
    elif last and not image.is_contiguous():
        assert out.is_contiguous(memory_format=torch.channels_last)
    else:
        assert out.is_contiguous()


@given(st.integers(1, 60), scales)
def test_size_is_the_ceiling(size, scale):
    exact = Fraction(scale).limit_denominator(10**6)
    out = ContinuousConv1d(1, 1, 3)(torch.zeros(1, 1, size), scale=scale)
    assert out.shape[2] == math.ceil(exact * size)


@given(sizes, sizes, st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_resize_stays_within_the_range_of_a_positive_kernel(h, w, oh, ow, antialias):
    torch.manual_seed(0)
    image = torch.randint(256, (1, 1, h, w), dtype=torch.uint8)
    for kernel in ("box", "linear", "gaussian"):
        out = resize(image, size=(oh, ow), kernel=kernel, antialias=antialias)
        assert out.shape == (1, 1, oh, ow) and out.dtype == torch.uint8
        assert out.min() >= image.min() and out.max() <= image.max()


@given(sizes, supports, scales)
def test_linear_ramps_survive_linear_interpolation(size, support, scale):
    """Where the kernel sees only true pixels, a line is resampled to the same line."""
    line = torch.arange(size + 2 * support, dtype=torch.float64).view(1, 1, -1)
    out = continuous_conv(line, "linear", scale=scale, padding_mode="replicate")[0, 0]
    ratio = float(Fraction(scale).limit_denominator(10**6))
    n, count = torch.arange(len(out)), line.shape[2]
    g = n / ratio + (count - 1) / 2 - (len(out) - 1) / (2 * ratio)
    inside = (g >= 0) & (g <= count - 1)
    torch.testing.assert_close(out[inside], g[inside].double(), rtol=1e-6, atol=1e-5)
