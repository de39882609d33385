"""The periodic engine: a convolution for each phase, put in order."""

import math
from fractions import Fraction

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from contconv import continuous_conv
from contconv._grid.axis import Axis
from contconv._grid.padding import PADDING_MODES
from contconv.engines import periodic
from contconv.kernels import CosineKernel
from tests.cases import refusal
from tests.combinations import pairs

RATIOS = [
    Fraction(p, q) for p in range(1, 6) for q in range(1, 6) if math.gcd(p, q) == 1
]
LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def cosine(*args, **options) -> CosineKernel:
    return CosineKernel(*args, **options, dtype=torch.float64)


def check(image: Tensor, kernel: CosineKernel, **options) -> None:
    """Output and gradients are the reference's, also where no gradient is asked."""
    expected = continuous_conv(image, kernel, **options, engine="reference")
    actual = continuous_conv(image, kernel, **options, engine="periodic")
    torch.testing.assert_close(actual, expected)
    probe, leaves = torch.randn_like(expected), [image, kernel.head]
    torch.testing.assert_close(
        torch.autograd.grad(actual, leaves, probe),
        torch.autograd.grad(expected, leaves, probe),
    )
    with torch.no_grad():
        written = continuous_conv(image, kernel, **options, engine="periodic")
    torch.testing.assert_close(written, expected)
    assert written.stride() == actual.stride()


class Calls(TorchDispatchMode):
    """Counts the convolutions, and keeps their arguments."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.convolution.default:
            self.seen.append(args)
        return function(*args, **(kwargs or {}))


def calls(size: tuple[int, ...], support: tuple[int, ...], scale) -> list:
    kernel, image = cosine(64, 64, support), noise(1, 64, *size)
    with Calls() as counted, torch.no_grad():
        continuous_conv(image, kernel, scale=scale, engine="periodic")
    return counted.seen


@pytest.mark.parametrize("q", [1, 2, 3])
def test_shrinking_by_a_whole_number_is_one_strided_convolution(q):
    """Of the image itself: zeros are padded by the convolution."""
    image = noise(2, 64, 12, 18)
    with Calls() as counted, torch.no_grad():
        continuous_conv(
            image, cosine(64, 8, (5, 5)), scale=Fraction(1, q), engine="periodic"
        )
    ((read, weight, _, stride, *_),) = counted.seen
    assert read.data_ptr() == image.data_ptr()
    assert weight.shape[:2] == (8, 64) and stride == [q, q]


def test_every_phase_has_its_own_width():
    """At 2/3, three pixels lie under the kernel, or four with ties: not four always."""
    widths = sorted(
        tuple(args[1].shape[2:]) for args in calls((64, 64), (3, 3), Fraction(2, 3))
    )
    assert widths == [(3, 3), (3, 4), (4, 3), (4, 4)]


@pytest.mark.parametrize("support", [3, 4])
@pytest.mark.parametrize("ratio", RATIOS, ids=str)
def test_all_small_ratios(support, ratio):
    """Odd and even sizes, with ties."""
    kernel = cosine(2, 3, (support, 3))
    check(noise(3, 2, 8, 7), kernel, scale=(ratio, 1 / ratio))


@pytest.mark.parametrize(
    "ratio, mode",
    [(r, PADDING_MODES[(i + j) % 5]) for i, r in enumerate(RATIOS) for j in (0, 2)],
)
def test_all_padding_modes(ratio, mode):
    """Padding one side only, cropping, and images narrower than the support."""
    for size in (1, 3, 11):
        check(noise(1, 2, size), cosine(2, 2, (5,)), scale=ratio, padding_mode=mode)


@pairs(mode=PADDING_MODES, scale=["1/7", "3", "2/3", "1", "1/1000003"], out=[1, 2, 25])
def test_scale_and_size(mode, scale, out):
    """The grid ends within the image or goes on far beyond it."""
    options = {"scale": Fraction(scale), "size": out, "padding_mode": mode}
    check(noise(2, 2, 9), cosine(2, 2, (3,)), **options)


@pairs(
    groups=[1, 2, 4],
    size=[(5, 6), (3, 4, 5)],
    scale=["2", "1/2", "3/2"],
    mode=["zeros", "reflect"],
)
def test_channels_last(groups, size, scale, mode):
    """Convolved and put together in the layout of the image."""
    image = noise(2, 4, *size).detach()
    image = image.to(memory_format=LAST[image.ndim]).requires_grad_()
    kernel = cosine(4, 8, (3,) * len(size), groups=groups)
    options = {"scale": Fraction(scale), "groups": groups, "padding_mode": mode}
    check(image, kernel, **options)
    with Calls() as counted:
        continuous_conv(image, kernel, **options, engine="periodic")
    for read, *_ in counted.seen:
        assert read.is_contiguous(memory_format=LAST[image.ndim])


@pytest.mark.parametrize("scale", [2, Fraction(1, 2), Fraction(5, 3)], ids=str)
def test_antialias(scale):
    check(noise(2, 2, 9, 8), cosine(2, 2, (3, 4)), scale=scale, antialias=True)


def test_far_beyond_a_small_image_little_is_read():
    """A stride of a million pixels: what lies between the windows is not made."""
    axis = Axis(5, 100, 1, 10**6, 3)
    for mode in PADDING_MODES:
        read, *_ = periodic._read(torch.ones(1, 1, 5), 2, axis, 0, mode)
        assert read.numel() <= 400


@pytest.mark.parametrize(
    "scale, phases",
    [((8, 8), None), ((8, Fraction(9, 2)), 72), (math.sqrt(2), 12 * 9)],
    ids=["64", "72", "irrational"],
)
def test_refuses_too_many_phases(scale, phases):
    """Not more phases than output pixels count, however fine the scale."""
    kernel, image = cosine(1, 1, (3, 3)), noise(1, 1, 8, 6)
    reasons = refusal("periodic", image, kernel, {"scale": scale})
    if phases is None:
        assert reasons == []
        return
    assert reasons == [f"{phases} sub-pixel phases; at most 64 are worth it"]
    with pytest.raises(ValueError, match=f"'periodic' cannot run this: {phases} sub"):
        continuous_conv(image, kernel, scale=scale, engine="periodic")


def test_refuses_points():
    kernel, image = cosine(1, 1, (3, 3)), noise(1, 1, 8, 6)
    with pytest.raises(ValueError, match="points have no period"):
        continuous_conv(image, kernel, points=torch.zeros(2, 2, 2), engine="periodic")
