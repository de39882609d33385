"""Classical resizing, against PyTorch, Pillow and MATLAB."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from contconv import resize
from contconv.kernels import CubicKernel, GaussianKernel

BENCHMARKS = Path(__file__).parents[2] / "shared" / "data" / "benchmarks"


def photograph(height: int = 48, width: int = 60) -> Tensor:
    data = pytest.importorskip("skimage.data")
    image = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None]
    return image[..., 40 : 40 + height, 180 : 180 + width].double()


def interior(image: Tensor, pixels: int) -> Tensor:
    return image[..., pixels:-pixels, pixels:-pixels]


@pytest.mark.parametrize("size", [(96, 120), (37, 85), (24, 20), (13, 31)], ids=str)
@pytest.mark.parametrize("antialias", [False, True], ids=["plain", "antialias"])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_equals_interpolate(size, antialias, mode):
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
        pytest.skip(f"no LR images of {name} in {BENCHMARKS}: fetch the benchmarks")
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
        pytest.skip(f"no benchmark images in {BENCHMARKS}")
    assert len(paths) == 315


def test_smaller_scale_first_then_vertical():
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


def test_whole_numbers_round_half_up_and_clip():
    black_and_white = torch.tensor([0, 0, 255, 255], dtype=torch.uint8).view(1, 1, 4)
    sharp = resize(black_and_white, size=8, kernel="cubic")
    assert sharp.min() == 0 and sharp.max() == 255
    halves = torch.tensor([1, 2], dtype=torch.uint8).view(1, 1, 2)
    assert resize(halves, size=1, kernel="box").item() == 2


@pytest.mark.parametrize(
    "kernel", ["box", "linear", "cubic", "lanczos2", "lanczos3", "gaussian"]
)
@pytest.mark.parametrize("scale", [0.31, 0.5, 1, 1.7, 3])
def test_constant_images_stay_constant(kernel, scale):
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


def test_zeros_beyond_the_edge_darken_it():
    ones = torch.ones(1, 1, 8, dtype=torch.float64)
    out = resize(ones, scale=2, kernel="linear", padding_mode="zeros")[0, 0]
    expected = torch.ones(16, dtype=torch.float64)
    expected[0] = expected[-1] = 0.75
    torch.testing.assert_close(out, expected)


def test_differentiable():
    image = torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x: resize(x, size=(3, 7)), image, check_forward_ad=True
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtype_is_kept(dtype):
    image = photograph() / 255
    out = resize(image.to(dtype), scale=0.7)
    assert out.dtype == dtype
    exact = resize(image.to(dtype).double(), scale=0.7)
    torch.testing.assert_close(out, exact.to(dtype))


def test_three_axes_and_layout():
    volume = torch.rand(1, 2, 4, 5, 6).to(memory_format=torch.channels_last_3d)
    out = resize(volume, scale=(2, 0.5, 1.5))
    assert out.shape == (1, 2, 8, 3, 9)
    assert out.is_contiguous(memory_format=torch.channels_last_3d)
