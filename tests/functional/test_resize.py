"""Classical resizing, against PyTorch, Pillow and MATLAB."""

import itertools
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from contconv import resize
from contconv._grid.padding import PADDING_MODES
from contconv.functional import resize_passes
from contconv.functional.rounding import rounded, whole_weights
from contconv.kernels import BoxKernel, CubicKernel, GaussianKernel, SeparableKernel
from tests.oracle import neighbors, padded, position

BENCHMARKS = Path(__file__).parents[3] / "shared" / "data" / "benchmarks"

# The function of the same name hides it.
resize_module = sys.modules[resize.__module__]


@pytest.fixture(params=[1, 10**9, None], ids=["blocks", "taps", "library"])
def way(request, monkeypatch):
    """Each way to resample an axis, whatever the size of the image."""
    if request.param is not None:
        by_operators(monkeypatch, request.param)


def by_operators(monkeypatch, many_lines: int) -> None:
    """By PyTorch's operators; by blocks from so many lines on."""
    monkeypatch.setattr(resize_module, "suits_library", lambda _: False)
    monkeypatch.setattr(resize_passes, "MANY_LINES", many_lines)


def photograph(height: int = 48, width: int = 60) -> Tensor:
    data = pytest.importorskip("skimage.data")
    image = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None]
    return image[..., 40 : 40 + height, 180 : 180 + width].double()


def interior(image: Tensor, pixels: int) -> Tensor:
    return image[..., pixels:-pixels, pixels:-pixels]


@pytest.mark.parametrize("size", [(96, 120), (37, 85), (24, 20), (13, 31)], ids=str)
@pytest.mark.parametrize("antialias", [False, True], ids=["plain", "antialias"])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_equals_interpolate(way, size, antialias, mode):
    """PyTorch's cubic has a = -3/4, but -1/2 with antialias."""
    image = photograph()
    kernel = (
        CubicKernel(-0.5 if antialias else -0.75) if mode == "bicubic" else "linear"
    )
    expected = F.interpolate(
        image, size=size, mode=mode, antialias=antialias, align_corners=False
    )
    out = resize(image, size=size, kernel=kernel, antialias=antialias)
    edge = max(2, *(-(-2 * n // m) for n, m in zip(size, (48, 60), strict=True)))
    torch.testing.assert_close(interior(out, edge), interior(expected, edge))


@pytest.mark.parametrize("name", ["box", "linear", "cubic", "lanczos3"])
@pytest.mark.parametrize("height, width", [(90, 77), (31, 17), (20, 100)])
def test_equals_pillow(name, height, width):
    """Pillow resizes float images ("F") with the same kernels, in float32."""
    if name == "box" and height == 90:
        pytest.skip("of two pixels at the same distance Pillow takes one, we the mean")
    image = photograph()[0, 0]
    filters = {
        "box": Image.Resampling.BOX,
        "linear": Image.Resampling.BILINEAR,
        "cubic": Image.Resampling.BICUBIC,
        "lanczos3": Image.Resampling.LANCZOS,
    }
    picture = Image.fromarray(image.float().numpy())
    expected = np.array(picture.resize((width, height), filters[name]))
    out = resize(image[None, None], size=(height, width), kernel=name)[0, 0]
    edge = math.ceil(4 * max(1, height / 48, width / 60))
    torch.testing.assert_close(
        interior(out, edge).float(),
        interior(torch.from_numpy(expected), edge),
        rtol=1e-5,
        atol=1e-3,
    )


def lr_images() -> list[Path]:
    return sorted(BENCHMARKS.glob("*/lr_x*/*.png"))


@pytest.mark.parametrize("factor", [2, 3, 4], ids="x{}".format)
@pytest.mark.parametrize("name", ["Set5", "B100"])
def test_every_bit_of_matlab(name, factor):
    """The benchmarks' LR images were made by MATLAB's imresize: no sample differs."""
    paths = sorted((BENCHMARKS / name / f"lr_x{factor}").glob("*.png"))
    if not paths:
        pytest.skip(f"{name} NOT TRIED: no LR images in {BENCHMARKS}")
    for path in paths:
        low, high = (
            torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None]
            for file in (path, BENCHMARKS / name / "hr" / path.name)
        )
        height, width = low.shape[2] * factor, low.shape[3] * factor
        out = resize(high[..., :height, :width], scale=Fraction(1, factor))
        assert torch.equal(out, low), path


def test_all_benchmark_images_are_there_or_none():
    paths = lr_images()
    if not paths:
        pytest.skip(f"MATLAB NOT TRIED: no benchmark images in {BENCHMARKS}")
    assert len(paths) == 315


def test_smaller_scale_first_then_vertical(way):
    """As MATLAB: the rounding after each axis makes the order visible."""
    image = photograph().to(torch.uint8)
    step = resize(image, size=(48, 25))
    torch.testing.assert_close(
        resize(image, size=(40, 25)), resize(step, size=(40, 25)), rtol=0, atol=0
    )
    step = resize(image, size=(24, 60))
    torch.testing.assert_close(
        resize(image, scale=0.5), resize(step, size=(24, 30)), rtol=0, atol=0
    )


def test_whole_numbers_round_half_up_and_clip(way):
    black_and_white = torch.tensor([0, 0, 255, 255], dtype=torch.uint8).view(1, 1, 4)
    sharp = resize(black_and_white, size=8, kernel="cubic")
    assert sharp.min() == 0 and sharp.max() == 255
    halves = torch.tensor([1, 2], dtype=torch.uint8).view(1, 1, 2)
    assert resize(halves, size=1, kernel="box").item() == 2


@pytest.mark.parametrize(
    "kernel", ["box", "linear", "cubic", "lanczos2", "lanczos3", "gaussian"]
)
@pytest.mark.parametrize("scale", [0.31, 1.7])
def test_constant_images_stay_constant(way, kernel, scale):
    image = torch.full((1, 2, 11, 7), 0.3, dtype=torch.float64)
    out = resize(image, scale=scale, kernel=kernel)
    torch.testing.assert_close(out, torch.full_like(out, 0.3))


def test_rotated_gaussian_is_normalised_too():
    """A kernel that is no product of one per axis goes over both axes at once."""
    image = photograph()
    kernel = GaussianKernel([[2.0, 1.5], [1.5, 2.0]])
    ones = resize(torch.ones_like(image), scale=0.6, kernel=kernel)
    torch.testing.assert_close(ones, torch.ones_like(ones))
    apart = GaussianKernel([[2.0, 0.0], [0.0, 0.7]], (8, 6))
    vertical = GaussianKernel([[2.0]], (8,))
    horizontal = GaussianKernel([[0.7]], (6,))
    lines = image.transpose(2, 3).reshape(-1, 1, 48)
    lines = resize(lines, scale=0.6, kernel=vertical)
    lines = lines.view(1, 3, 60, 29).transpose(2, 3).reshape(-1, 1, 60)
    lines = resize(lines, scale=0.6, kernel=horizontal).view(1, 3, 29, 36)
    torch.testing.assert_close(resize(image, scale=0.6, kernel=apart), lines)


def test_zeros_beyond_the_edge_darken_it(way):
    ones = torch.ones(1, 1, 8, dtype=torch.float64)
    out = resize(ones, scale=2, kernel="linear", padding_mode="zeros")[0, 0]
    expected = torch.ones(16, dtype=torch.float64)
    expected[0] = expected[-1] = 0.75
    torch.testing.assert_close(out, expected)


def test_differentiable(way):
    image = torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x: resize(x, size=(3, 7)), image, check_forward_ad=True
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtype_is_kept(way, dtype):
    image = photograph() / 255
    out = resize(image.to(dtype), scale=0.7)
    assert out.dtype == dtype
    exact = resize(image.to(dtype).double(), scale=0.7)
    torch.testing.assert_close(out, exact.to(dtype))


def test_three_axes_and_layout(way):
    volume = torch.rand(1, 2, 4, 5, 6).to(memory_format=torch.channels_last_3d)
    out = resize(volume, scale=(2, 0.5, 1.5))
    assert out.shape == (1, 2, 8, 3, 9)
    assert out.is_contiguous(memory_format=torch.channels_last_3d)


def cubic(d: Fraction) -> Fraction:
    d = abs(d)
    if d <= 1:
        return (3 * d - 5) * d * d / 2 + 1
    return ((5 - d) * d / 2 - 4) * d + 2 if d < 2 else Fraction(0)


def linear(d: Fraction) -> Fraction:
    return max(1 - abs(d), Fraction(0))


KERNELS: dict[str, tuple[Callable[[Fraction], Fraction], int]] = {
    "cubic": (cubic, 4),
    "linear": (linear, 2),
}


def with_modes(values: Iterable[Any]) -> list[tuple[Any, str, str]]:
    """Each value with each kernel, and the padding modes by turns."""
    modes = itertools.cycle(PADDING_MODES)
    return [(*one, next(modes)) for one in itertools.product(values, KERNELS)]


def exact_rows(
    in_size: int, out_size: int, scale: Fraction, kernel: str, mode: str = "replicate"
) -> list[list[Fraction]]:
    """Which part of each input pixel every output pixel is."""
    function, width = KERNELS[kernel]
    stretch, rows = min(scale, Fraction(1)), []
    for n in range(out_size):
        g = position(n, in_size, out_size, scale)
        near = neighbors(g, width / stretch).items()
        values = {m: count * function(stretch * (g - m)) for m, count in near}
        row = [Fraction(0)] * in_size
        for m, value in values.items():
            if mode != "zeros" or 0 <= m < in_size:
                index = int(padded(range(in_size), m, mode))
                row[index] += value / sum(values.values())
        rows.append(row)
    return rows


def as_tensor(rows: list[list[Fraction]]) -> Tensor:
    return torch.tensor([list(map(float, row)) for row in rows], dtype=torch.float64)


def exactly(
    image: Tensor, scales: Sequence[Fraction], kernel: str, mode: str = "replicate"
) -> Tensor:
    """The plain definition, axis by axis, with a matrix of exact fractions."""
    for dim, scale in enumerate(scales, 2):
        size = math.ceil(scale * image.shape[dim])
        rows = exact_rows(image.shape[dim], size, scale, kernel, mode)
        image = (image.movedim(dim, -1) @ as_tensor(rows).T).movedim(-1, dim)
    return image


CASES = {
    "line": ((5, 3, 41), (Fraction(3, 7),)),
    "long": ((1, 2, 300), (Fraction(9, 4),)),
    "down": ((2, 3, 40, 53), (Fraction(1, 4), Fraction(37, 100))),
    "up": ((1, 3, 20, 23), (Fraction(27, 10), Fraction(4))),
    "both": ((1, 2, 31, 17), (Fraction(74, 100), Fraction(3, 2))),
    "tiny": ((2, 5, 1, 2), (Fraction(5), Fraction(1, 3))),
    "huge": ((1, 3, 90, 101), (Fraction(1, 60), Fraction(1, 101))),
    "same": ((1, 3, 9, 8), (Fraction(1), Fraction(1))),
    "volume": ((1, 2, 9, 7, 8), (Fraction(2, 3), Fraction(3, 2), Fraction(1, 3))),
    "deep": ((2, 1, 6, 5, 20), (Fraction(1, 2), Fraction(5, 2), Fraction(9, 5))),
}


@pytest.mark.parametrize("name, kernel, mode", with_modes(CASES))
def test_plain_definition(way, name, kernel, mode):
    """The output, and the gradient, which is the transposed matrix times the other."""
    shape, scales = CASES[name]
    image = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    expected = exactly(image, scales, kernel, mode)
    out = resize(image, scale=scales, kernel=kernel, padding_mode=mode)
    torch.testing.assert_close(out, expected)
    probe = torch.randn_like(out)
    torch.testing.assert_close(
        torch.autograd.grad(out, image, probe),
        torch.autograd.grad(expected, image, probe),
    )


@pytest.mark.parametrize("shape, scales", CASES.values(), ids=CASES)
def test_float32_is_as_good_as_float32_can_be(way, shape, scales):
    image = torch.rand(shape)
    out = resize(image, scale=scales, padding_mode="replicate")
    expected = exactly(image.double(), scales, "cubic")
    torch.testing.assert_close(out.double(), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize("scale", [0.37, 2.7])
def test_channels_last(way, channels, scale):
    image = torch.rand(2, channels, 19, 23, dtype=torch.float64)
    last = image.to(memory_format=torch.channels_last)
    out = resize(last, scale=scale)
    assert channels == 1 or out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out.contiguous(), resize(image, scale=scale))
    bytes_last = (255 * last).to(torch.uint8)
    assert torch.equal(
        resize(bytes_last, scale=scale), resize(bytes_last.contiguous(), scale=scale)
    )


# With ties, where a sum lies between two whole numbers, from never to at every third.
SCALES = [*map(Fraction, ("1/2", "1/3", "1/4", "1/6", "2/3", "3/4", "5/4", "3/2"))]
SCALES += [Fraction(37, 100), Fraction(77, 100), Fraction(2), Fraction(4), Fraction(1)]


@pytest.mark.parametrize("scale, kernel, mode", with_modes(SCALES))
def test_every_bit_of_exact_fractions(way, scale, kernel, mode):
    """Halves are rounded up, also where floating-point sums miss them."""
    lines = torch.randint(256, (50, 2, 37), dtype=torch.uint8)
    lines[::2] = lines[::2] // 128 * 255
    out = resize(lines, scale=scale, kernel=kernel, padding_mode=mode)
    rows = exact_rows(37, out.shape[2], scale, kernel, mode)
    for n, row in enumerate(rows):
        over = math.lcm(*(value.denominator for value in row))
        weights = np.array([int(value * over) for value in row], dtype=object)
        sums = lines.numpy().astype(object) @ weights
        rounded = (2 * sums + over) // (2 * over)
        expected = np.clip(rounded, 0, 255).astype(np.uint8)
        assert np.array_equal(out[..., n].numpy(), expected), n


@pytest.mark.parametrize("scale", [Fraction(1, 3), Fraction(2, 3), 0.74, 1.5])
def test_bytes_flip_with_the_image(way, scale):
    image = torch.randint(256, (1, 3, 47, 58), dtype=torch.uint8)
    out = resize(image.flip(2, 3), scale=scale).flip(2, 3)
    assert torch.equal(out, resize(image, scale=scale))


@pytest.mark.parametrize("over, scale", [(256, "1/2"), (81, "1/3"), (27, "3")])
def test_whole_weights(over, scale):
    rows = exact_rows(60, math.ceil(60 * Fraction(scale)), Fraction(scale), "cubic")
    whole, divisor = whole_weights(as_tensor(rows))
    assert divisor == over and whole.dtype == torch.float32
    assert whole.tolist() == [[value * over for value in row] for row in rows]


@pytest.mark.parametrize("over", [2, 27, 54, 432, 2000, 3456, 4093, 4094, 4096])
def test_every_whole_sum_is_rounded_right(over):
    sums = torch.arange(-over, 257 * over)
    expected = ((2 * sums + over) // (2 * over)).clamp(0, 255)
    assert torch.equal(rounded(sums.float(), over).long(), expected)


def test_weights_that_are_not_whole():
    """None are for denominators beyond float32, for roots, or for NaN."""
    for value in (1 / 4099, 0.5**0.5, float("nan")):
        weights = torch.tensor([[value, 1 - value]], dtype=torch.float64)
        same, over = whole_weights(weights)
        assert same is weights and over == 1


class Products(TorchDispatchMode):
    """The dtypes in which matrices are multiplied."""

    def __init__(self):
        super().__init__()
        self.dtypes = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.mm.default, torch.ops.aten.bmm.default):
            self.dtypes.update(matrix.dtype for matrix in args)
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_lower_precision_of_products_is_for_others(monkeypatch, precision):
    by_operators(monkeypatch, 1)
    image = torch.rand(2, 3, 60, 70, requires_grad=True)
    pixels = (255 * image.detach()).to(torch.uint8)
    expected = [resize(pixels, scale=scale) for scale in (1 / 3, 0.37)]
    (gradient,) = torch.autograd.grad(resize(image, scale=0.37).square().sum(), image)
    torch.set_float32_matmul_precision(precision)
    try:
        with Products() as products:
            out = resize(image, scale=0.37)
            (actual,) = torch.autograd.grad(out.square().sum(), image)
            again = [resize(pixels, scale=scale) for scale in (1 / 3, 0.37)]
    finally:
        torch.set_float32_matmul_precision("highest")
    torch.testing.assert_close(actual, gradient)
    assert all(map(torch.equal, again, expected))
    assert products.dtypes == {torch.float64}


def test_autocast_changes_nothing():
    image = torch.rand(1, 3, 40, 50, requires_grad=True)
    (gradient,) = torch.autograd.grad(resize(image, scale=0.7).square().sum(), image)
    with torch.autocast("cpu", torch.bfloat16):
        out = resize(image, scale=0.7)
        (under,) = torch.autograd.grad(out.square().sum(), image)
    assert torch.equal(out, resize(image, scale=0.7)) and torch.equal(under, gradient)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("scale", [0.37, 1.7])
def test_what_is_not_finite_stays_where_it_is(monkeypatch, value, scale):
    image = torch.rand(1, 3, 80, 90)
    image[0, 1, 40, 50] = value
    by_operators(monkeypatch, 1)
    out = resize(image, scale=scale)
    by_operators(monkeypatch, 10**9)
    torch.testing.assert_close(out, resize(image, scale=scale), equal_nan=True)
    monkeypatch.undo()
    torch.testing.assert_close(out, resize(image, scale=scale), equal_nan=True)
    assert 9 <= (~out.isfinite()).sum() <= 100


def test_derivatives_of_every_kind():
    image = torch.randn(1, 8, 9, 10, dtype=torch.float64, requires_grad=True)

    def function(image: Tensor) -> Tensor:
        return resize(image, scale=(0.6, 1.7), padding_mode="circular")

    assert torch.autograd.gradcheck(function, image, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, image, fast_mode=True)
    out = function(image)
    probes = torch.randn(3, *out.shape, dtype=torch.float64)

    def gradient(probe: Tensor) -> Tensor:
        return torch.autograd.grad(out, image, probe, retain_graph=True)[0]

    expected = torch.stack([gradient(probe) for probe in probes])
    torch.testing.assert_close(torch.vmap(gradient)(probes), expected)
    per_image = torch.func.vmap(function)(image[:, None])
    torch.testing.assert_close(per_image[:, 0], out)


class Bell(SeparableKernel):
    """A kernel that learns its width."""

    def __init__(self):
        super().__init__((4, 4))
        self.sharpness = torch.nn.Parameter(torch.tensor(1.3, dtype=torch.float64))
        self.register_buffer("head", torch.ones(1, 1, 1))

    def axis_basis(self, distance, axis):
        return torch.exp(-self.sharpness * distance**2)[..., None]


def test_kernels_learn():
    kernel, image = Bell(), torch.rand(1, 3, 40, 50, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda _: resize(image, size=(5, 6), kernel=kernel), kernel.sharpness
    )
    before = resize(image, scale=0.7, kernel=kernel).detach()
    with torch.no_grad():
        torch.testing.assert_close(resize(image, scale=0.7, kernel=kernel), before)
        kernel.sharpness.fill_(0.5)
        assert not torch.allclose(resize(image, scale=0.7, kernel=kernel), before)


def test_kept_weights_follow_the_kernel():
    image, kernel = torch.rand(1, 3, 40, 50), CubicKernel()
    before = resize(image, scale=2, kernel=kernel)
    kernel.a = -0.75
    after = resize(image, scale=2, kernel=kernel)
    assert not torch.allclose(after, before)
    torch.testing.assert_close(after, resize(image, scale=2, kernel=CubicKernel(-0.75)))


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor that any operation makes."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out: Any = func(*args, **kwargs or {})
        if isinstance(out, Tensor):
            self.size = max(self.size, out.untyped_storage().nbytes())
        return out


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("scale", [0.37, 1 / 3])
def test_nothing_larger_than_the_image(dtype, scale):
    image = torch.zeros(1, 3, 1200, 1000, dtype=dtype)
    with Largest() as largest:
        resize(image, scale=scale)
    assert largest.size <= image.nbytes


def test_long_lines():
    """The many weights of a mean over a whole line."""
    lines = torch.rand(100, 1, 50_000)
    torch.testing.assert_close(
        resize(lines, size=1, kernel="box"), lines.mean(-1, keepdim=True)
    )


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("size", [3, 5, 8])
def test_thin_frame_counts_what_it_covers(size, dtype, axes):
    """Against the mean of the pixels that an output pixel covers."""
    image = torch.full((1, 1, *(120,) * axes), 255, dtype=dtype)
    for axis in range(axes):
        for line in (0, -1):
            image.select(2 + axis, line).zero_()
    out = resize(image, size=size).double()
    block = 120 // size
    middle = out[(0, 0, 0, *(size // 2,) * (axes - 1))]
    assert abs(middle - 255 * (1 - 1 / block)) < 6


@pytest.mark.parametrize("antialias", [True, False])
def test_default_padding_is_said(antialias):
    """Replicate down to a fifth, for the bits of the benchmarks; symmetric below."""
    image = torch.randint(256, (1, 1, 60, 60), dtype=torch.uint8)
    for scale, mode in ((Fraction(1, 5), "replicate"), (Fraction(1, 6), "symmetric")):
        options = {"scale": (1, scale), "antialias": antialias}
        expected = resize(
            image, padding_mode=mode if antialias else "replicate", **options
        )
        assert torch.equal(resize(image, **options), expected)


@pytest.mark.parametrize("scale", [Fraction(1, 15000), Fraction(1, 1000)], ids=str)
def test_kernels_much_wider_than_the_image(scale):
    """Nearly the mean of the image repeated: all pixels count alike."""
    image = torch.rand(2, 1, 5, 7, dtype=torch.float64, requires_grad=True)
    out = resize(image, scale=scale, padding_mode="circular")
    expected = image.detach().mean((2, 3), keepdim=True)
    torch.testing.assert_close(out, expected, rtol=0, atol=0.1 * float(scale) + 1e-6)
    (gradient,) = torch.autograd.grad(out.sum(), image)
    torch.testing.assert_close(
        gradient, torch.full_like(gradient, 1 / 35), rtol=0, atol=float(scale) + 1e-6
    )


def test_kernels_of_200_pixels():
    line = torch.rand(1, 1, 300, dtype=torch.float64)
    out = resize(line, scale=1, kernel=BoxKernel(200, ndim=1), padding_mode="circular")
    wide = torch.cat([line, line], -1)[0, 0]
    edges = (wide[:300] + wide[200:500].roll(0)) / 2
    expected = [(wide[n + 1 : n + 200].sum() + edges[n]) / 200 for n in range(300)]
    torch.testing.assert_close(out[0, 0].roll(-100), torch.stack(expected))
