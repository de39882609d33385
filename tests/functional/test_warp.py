"""Affine maps, homographies and flows, against `F.grid_sample`, SciPy and `resize`."""

import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from contconv import continuous_conv, resize, rotation, warp
from contconv._grid.padding import PADDING_MODES
from contconv.functional.warp import chunks
from contconv.kernels import (
    BoxKernel,
    CosineKernel,
    CubicKernel,
    GaussianKernel,
    LanczosKernel,
    SplineKernel,
)
from tests.combinations import pairs

F64 = torch.float64
AFFINE = torch.tensor([[0.913, 0.317, -1.219], [-0.411, 1.137, 2.311]], dtype=F64)
HOMOGRAPHY = torch.tensor(
    [[0.913, 0.317, -1.219], [-0.411, 1.137, 2.311], [0.023, -0.011, 1.1]], dtype=F64
)


def places(matrix: Tensor, size: tuple[int, int]) -> Tensor:
    """Where output pixels look, in homogeneous coordinates, ``[h, w, 2]``."""
    lines = [torch.arange(n, dtype=matrix.dtype) for n in size]
    out = torch.stack([*torch.meshgrid(*lines, indexing="ij"), torch.ones(size)], -1)
    found = out.to(matrix) @ matrix.T
    return found[..., :2] / found[..., 2:] if len(matrix) == 3 else found


def grid_sample(image: Tensor, points: Tensor, mode: str, padding="zeros") -> Tensor:
    """``F.grid_sample`` at pixels (y, x); it counts (x, y) from -1 to 1."""
    unit = 2 * points / (torch.tensor(image.shape[2:]) - 1) - 1
    grid = unit.flip(-1).expand(len(image), *unit.shape[-3:])
    return F.grid_sample(image, grid, mode, padding, align_corners=True)


@pytest.mark.parametrize("mode, padding", [("zeros", "zeros"), ("replicate", "border")])
@pytest.mark.parametrize("matrix", [AFFINE, HOMOGRAPHY], ids=["affine", "homography"])
@pytest.mark.parametrize(
    "kernel, name",
    [("linear", "bilinear"), (CubicKernel(-0.75), "bicubic"), ("box", "nearest")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_is_grid_sample(mode, padding, matrix, kernel, name):
    image = torch.randn(2, 3, 13, 11, dtype=F64)
    expected = grid_sample(image, places(matrix, (9, 14)), name, padding)
    out = warp(image, kernel, matrix, size=(9, 14), padding_mode=mode)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("order", [0, 1])
def test_is_scipy(order):
    image = torch.randn(20, 17, dtype=F64)
    expected = ndimage.affine_transform(
        image.numpy(),
        AFFINE[:, :2].numpy(),
        AFFINE[:, 2].numpy(),  # type: ignore
        output_shape=(15, 19),
        order=order,
        mode="grid-constant",
    )
    kernel = ("box", "linear")[order]
    out = warp(image[None], kernel, AFFINE, size=(15, 19))
    torch.testing.assert_close(out[0], torch.from_numpy(expected))


@pytest.mark.parametrize("degree", [2, 3, 5])
def test_spline_of_coefficients_is_scipy(degree):
    """SciPy finds the coefficients of the interpolating spline; ours sums them up."""
    image = torch.randn(20, 17, dtype=F64)
    flow = 3 * torch.randn(20, 17, 2, dtype=F64)
    given = ndimage.spline_filter(image.numpy(), degree, mode="mirror")
    points = np.indices((20, 17)) + np.moveaxis(flow.numpy(), -1, 0)
    expected = ndimage.map_coordinates(
        image.numpy(), points, order=degree, mode="mirror"
    )
    kernel = SplineKernel(1, 1, (degree + 1,) * 2, degree=degree, dtype=F64)
    torch.nn.init.ones_(kernel.head)
    coefficients = torch.as_tensor(given)[None]
    out = warp(coefficients, kernel, flow, padding_mode="reflect")
    torch.testing.assert_close(out[0].detach(), torch.from_numpy(expected))


@pairs(
    turns=[-3, -1, 0, 1, 2, 5],
    size=[7, 8],
    kernel=["box", "linear", "cubic", "lanczos3"],
    antialias=[False, True],
)
def test_quarter_turns(turns, size, kernel, antialias):
    image = torch.randn(1, 2, size, size)
    out = warp(image, kernel, rotation(90 * turns, size), antialias=antialias)
    torch.testing.assert_close(out, image.rot90(turns, (2, 3)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_whole_moves_are_shifts(mode):
    """NumPy pads; zeros come in, or what the padding mode says."""
    image = torch.randn(1, 1, 6, 5)
    names = {"zeros": "constant", "replicate": "edge", "circular": "wrap"}
    wide = np.pad(image[0, 0].numpy(), 4, names.get(mode, mode))  # type: ignore
    for y, x in [(0, 0), (2, -3), (-4, 1)]:
        move = torch.tensor([[1.0, 0.0, y], [0.0, 1.0, x]])
        expected = torch.from_numpy(wide[4 + y : 10 + y, 4 + x : 9 + x])
        for kernel in ("box", "linear", "cubic", "lanczos2"):
            out = warp(image, kernel, move, padding_mode=mode)
            torch.testing.assert_close(out[0, 0], expected, rtol=0, atol=1e-6)


def test_flows_are_displacements():
    image = torch.randn(2, 3, 9, 8, dtype=F64)
    flow = 2 * torch.randn(2, 5, 6, 2, dtype=F64)
    points = flow + places(torch.eye(3, dtype=F64), (5, 6))
    expected = continuous_conv(image, "cubic", points=points)
    torch.testing.assert_close(warp(image, "cubic", flow), expected)


@pytest.mark.parametrize("kernel", ["cubic", "gaussian", "lanczos3"])
def test_rotation_is_the_flow_of_its_matrix(kernel):
    image = torch.randn(1, 2, 9, 12, dtype=F64)
    matrix = rotation(31, (9, 12))
    flow = places(matrix, (9, 12)) - places(torch.eye(3, dtype=F64), (9, 12))
    for antialias in (False, True):
        torch.testing.assert_close(
            warp(image, kernel, matrix, antialias=antialias),
            warp(image, kernel, flow, antialias=antialias),
        )


def test_there_and_back():
    """A smooth image comes back, but for what left the picture."""
    y, x = torch.meshgrid(*[torch.arange(80.0, dtype=F64)] * 2, indexing="ij")
    image = torch.sin(y / 9)[None] + torch.cos((x + y) / 12)
    square = torch.eye(3, dtype=F64)
    square[:2] = rotation(23, 80)
    square[2] = torch.tensor([1e-3, -5e-4, 1])
    there = warp(image, LanczosKernel(5), square)
    back = warp(there, LanczosKernel(5), torch.linalg.inv(square))
    middle = (slice(None), slice(25, 55), slice(25, 55))
    torch.testing.assert_close(back[middle], image[middle], rtol=0, atol=2e-3)


def test_a_scale_of_the_whole_matrix_changes_nothing():
    image = torch.randn(1, 1, 9, 9, dtype=F64)
    for factor in (1e-12, 7.0, 1e12):
        for antialias in (False, True):
            torch.testing.assert_close(
                warp(image, "cubic", factor * HOMOGRAPHY, antialias=antialias),
                warp(image, "cubic", HOMOGRAPHY, antialias=antialias),
            )


def scaling(in_size: int, out_size: int) -> tuple[float, float]:
    """Eq. 2 of a resized axis: slope and shift."""
    step = in_size / out_size
    return step, (in_size - 1) / 2 - step * (out_size - 1) / 2


@pairs(
    kernel=["box", "linear", "cubic", "lanczos3", "gaussian"],
    size=[(20, 30), (13, 60), (75, 17), (90, 80), (7, 9)],
    mode=["zeros", "replicate"],
)
def test_antialias_of_a_scale_is_resize(kernel, size, mode):
    """Ties of the box too: its edges fall on pixels."""
    image = torch.randn(1, 2, 40, 60, dtype=F64)
    (sy, ty), (sx, tx) = map(scaling, (40, 60), size)
    matrix = torch.tensor([[sy, 0, ty], [0, sx, tx]], dtype=F64)
    expected = resize(image, size=size, kernel=kernel, padding_mode=mode)
    options = {"size": size, "padding_mode": mode, "antialias": True}
    torch.testing.assert_close(warp(image, kernel, matrix, **options), expected)
    lines = [torch.arange(n, dtype=F64) for n in size]
    out = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1)
    flow = out * out.new_tensor([sy - 1, sx - 1]) + out.new_tensor([ty, tx])
    torch.testing.assert_close(warp(image, kernel, flow, **options), expected)


def test_antialias_of_learned_kernels_is_that_of_a_grid():
    image = torch.randn(2, 3, 12, 15, dtype=F64)
    kernel = CosineKernel(3, 4, (3, 4), dtype=F64)
    (sy, ty), (sx, tx) = scaling(12, 5), scaling(15, 11)
    matrix = torch.tensor([[sy, 0, ty], [0, sx, tx]], dtype=F64)
    expected = continuous_conv(image, kernel, size=(5, 11), antialias=True)
    out = warp(image, kernel, matrix, size=(5, 11), antialias=True)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("matrix", [AFFINE, HOMOGRAPHY], ids=["affine", "homography"])
def test_learned_kernels(matrix):
    image = torch.randn(2, 3, 9, 8, dtype=F64)
    kernel = CosineKernel(3, 4, (3, 3), dtype=F64)
    expected = continuous_conv(image, kernel, points=places(matrix, (9, 8)))
    torch.testing.assert_close(warp(image, kernel, matrix), expected)


def turned_gaussian(angle: float, long: float) -> Tensor:
    """The covariance of ``sqrt(J J^T)`` with axes of ``long`` and 1."""
    c, s = math.cos(angle), math.sin(angle)
    axes = torch.tensor([[c, -s], [s, c]], dtype=F64)
    return axes @ torch.diag(torch.tensor([long**2, 1.0], dtype=F64)) @ axes.T


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 4, 2.0])
def test_footprints_are_ellipses(angle):
    """A Gaussian stays one: its covariance is that of the ellipse."""
    image = torch.randn(1, 1, 61, 61, dtype=F64)
    c, s = math.cos(angle), math.sin(angle)
    axes = torch.tensor([[c, -s], [s, c]], dtype=F64)
    linear = axes @ torch.diag(torch.tensor([3.0, 0.5], dtype=F64)) @ axes.T
    turn = rotation(70, 61)[:, :2]  # of the output: the ellipse is the same
    matrix = torch.cat([linear @ turn, torch.full((2, 1), 30.0, dtype=F64)], 1)
    out = warp(image, GaussianKernel(1.0, (12, 12)), matrix, size=1, antialias=True)
    covariance = turned_gaussian(angle, 3.0)
    covariance = (covariance + covariance.T) / 2
    points = torch.full((1, 1, 2), 30.0, dtype=F64)
    kernel = GaussianKernel(covariance, (61, 61))
    expected = continuous_conv(image, kernel, points=points)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-7)


def test_antialias_removes_what_the_output_cannot_hold():
    """Shrunk by 4 in one oblique direction: stripes that turn into others vanish."""
    y, x = torch.meshgrid(*[torch.arange(128.0)] * 2, indexing="ij")
    along = (y + x) / math.sqrt(2)
    linear = rotation(45, 128)[:, :2].float() @ torch.diag(torch.tensor([4.0, 1.0]))
    matrix = torch.cat([linear, torch.tensor([[0.0], [60.0]])], 1)
    for direction, shrunk in ((along, 1), (y - x, 0)):
        stripes = torch.sin(direction * 2 * math.pi / 3.1)[None]
        out = warp(stripes, "cubic", matrix, size=(16, 32), antialias=True)
        plain = warp(stripes, "cubic", matrix, size=(16, 32))
        seen = warp(torch.ones(1, 128, 128), "linear", matrix, size=(16, 32)) == 1
        ratio = (out[seen].std() / plain[seen].std()).item()
        assert ratio < 0.1 if _is_shrunk(linear, shrunk) else ratio > 0.9


def _is_shrunk(linear: Tensor, along: int) -> bool:
    direction = torch.tensor([1.0, 1.0 if along else -1.0]) / math.sqrt(2)
    return (linear.T @ direction).norm().item() > 2


HORIZON = torch.tensor([[1.0, 0, -8], [0, 1.0, 0], [0.25, 0, -1]], dtype=F64)


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("antialias", [False, True])
def test_behind_the_camera_is_nothing(mode, antialias):
    """The third coordinate is ``y / 4 - 1``: 0 at row 4, negative above it."""
    image = torch.rand(1, 1, 8, 8, dtype=F64, requires_grad=True)
    matrix = HORIZON.clone().requires_grad_()
    out = warp(image, "cubic", matrix, padding_mode=mode, antialias=antialias)
    assert torch.equal(out[:, :, :5], torch.zeros(1, 1, 5, 8, dtype=F64))
    assert out[:, :, 5:].isfinite().all()
    assert mode == "zeros" or out[:, :, 5:].abs().min() > 0
    for grad in torch.autograd.grad(out.square().sum(), (image, matrix)):
        assert grad.isfinite().all()


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("value", [math.nan, math.inf, -1e30])
def test_unknown_flow_is_nothing(value, antialias):
    flow = torch.zeros(6, 6, 2, dtype=F64)
    flow[2, 3, 1] = value
    flow.requires_grad_()
    image = torch.rand(1, 1, 6, 6, dtype=F64)
    out = warp(image, "cubic", flow, padding_mode="circular", antialias=antialias)
    expected = image.clone()
    expected[0, 0, 2, 3] = 0
    torch.testing.assert_close(out, expected)
    (grad,) = torch.autograd.grad(out.square().sum(), flow)
    assert grad.isfinite().all() and (grad[2, 3] == 0).all()


@pytest.mark.parametrize("matrix", [torch.zeros(2, 3), torch.zeros(3, 3)], ids=str)
@pytest.mark.parametrize("antialias", [False, True])
def test_singular_maps(matrix, antialias):
    """All output pixels see one place, or none."""
    image = torch.rand(1, 1, 5, 5)
    out = warp(image, "cubic", matrix, antialias=antialias)
    expected = image[:, :, :1, :1] if len(matrix) == 2 else torch.zeros(1, 1, 1, 1)
    torch.testing.assert_close(out, expected.expand(1, 1, 5, 5))


def test_horizons_with_antialias():
    """Scales without bound near the horizon, tilted, in a large image."""
    matrix = torch.tensor([[2.0, 0.3, -90], [0.2, 2.0, -40], [0.06, 0.01, -1.13]])
    image = torch.rand(1, 3, 64, 64)
    out = warp(image, "cubic", matrix, antialias=True, padding_mode="replicate")
    assert out.isfinite().all() and out.min() > -0.2 and out.max() < 1.2


GIVEN = {
    "affine": AFFINE / 2 + 0.25,
    "shrinking": 1.7 * AFFINE,
    "homography": HOMOGRAPHY,
    "each": torch.stack([HOMOGRAPHY, HOMOGRAPHY / 2]),
    "horizon": HORIZON,
    "flow": torch.randn(3, 2, 2, dtype=F64, generator=torch.Generator().manual_seed(0)),
}
KERNELS = {
    "cubic": CubicKernel,
    "lanczos3": LanczosKernel,
    "gaussian": lambda: GaussianKernel([[1.0, 0.5], [0.5, 1.0]], (3, 3)),
    "cosine": lambda: CosineKernel(2, 2, (3, 2), dtype=F64),
    "shared": lambda: SplineKernel(1, 1, (4, 4), degree=2, dtype=F64),
}


@pairs(name=[*GIVEN], kernel=[*KERNELS], antialias=[False, True])
def test_derivatives(name, kernel, antialias):
    """To image, transform and parameters; twice, and forward."""
    torch.manual_seed(1)
    built = KERNELS[kernel]()
    if kernel == "shared":
        torch.nn.init.uniform_(built.head, 0.5, 1.0)
    image = torch.randn(2, 2, 4, 3, dtype=F64, requires_grad=True)
    transform = GIVEN[name].clone().requires_grad_()
    inputs = [image, transform, *built.parameters()]

    def function(image, transform, *_):
        size = None if name == "flow" else (4, 2)
        options = {"padding_mode": "replicate", "antialias": antialias, "size": size}
        return warp(image, built, transform, **options)

    assert gradcheck(function, inputs, fast_mode=kernel != "cubic")
    if kernel in ("cubic", "cosine") and name in ("affine", "homography", "flow"):
        assert gradgradcheck(function, inputs[:2], fast_mode=True)
        assert gradcheck(function, inputs[:2], fast_mode=True, check_forward_ad=True)


def test_parts_are_the_whole(monkeypatch):
    """Output and gradients, in chunks of a few pixels."""
    image = torch.randn(2, 3, 9, 8, dtype=F64, requires_grad=True)
    matrix = (1.5 * HOMOGRAPHY).requires_grad_()
    results = []
    for chunk in (2**19, 2**8):
        monkeypatch.setattr(chunks, "_CHUNK_ELEMENTS", chunk)
        for antialias in (False, True):
            out = warp(image, "cubic", matrix, antialias=antialias)
            grads = torch.autograd.grad(out.square().sum(), (image, matrix))
            results.append((out, *grads))
    torch.testing.assert_close(results[2:], results[:2])


def test_torch_func():
    image = torch.randn(3, 1, 2, 7, 6, dtype=F64)
    mapped = torch.func.vmap(lambda one: warp(one, "cubic", HOMOGRAPHY))(image)
    expected = torch.stack([warp(one, "cubic", HOMOGRAPHY) for one in image])
    torch.testing.assert_close(mapped, expected)
    angles = torch.tensor([10.0, 20.0], dtype=F64)

    def turned(angle):
        return warp(image[0], "cubic", rotation(angle, (7, 6)))

    many = torch.func.vmap(turned)(angles)
    torch.testing.assert_close(many, torch.stack([turned(a) for a in angles]))
    slope = torch.func.jacfwd(turned)(angles[0])
    near = (turned(angles[0] + 1e-6) - turned(angles[0] - 1e-6)) / 2e-6
    torch.testing.assert_close(slope, near, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [F64, torch.float32])
@pytest.mark.parametrize("shift", [0.0, 2.0, -1.0])
def test_gradient_of_whole_moves(shift, dtype):
    """Where linear interpolation has a kink: towards the next pixel, as PyTorch's."""
    image = torch.randn(1, 2, 9, 11, dtype=dtype)
    flow = torch.full((9, 11, 2), shift, dtype=dtype, requires_grad=True)
    lines = torch.meshgrid(*[torch.arange(n) for n in (9, 11)], indexing="ij")
    other = flow.detach().clone().requires_grad_()
    inner = (..., slice(2, -3), slice(2, -3))
    probe = torch.randn(1, 2, 4, 6, dtype=dtype)
    warp(image, "linear", flow)[inner].backward(probe)
    x = torch.stack(lines, -1).to(F64) + other
    # Of PyTorch's positions, which it rounds: from just behind the pixel.
    grid_sample(image.double(), x + 1e-9, "bilinear")[inner].backward(probe.double())
    assert other.grad is not None and other.grad.any()
    torch.testing.assert_close(flow.grad, other.grad, rtol=1e-5, atol=1e-5)


def test_gradient_where_antialias_begins():
    """At the identity: that of a map that shrinks, which is more than a shift."""
    image = torch.randn(1, 1, 9, 11, dtype=F64)
    kernel = SplineKernel(1, 1, (5, 5), degree=3, dtype=F64)  # smooth at its edge
    torch.nn.init.uniform_(kernel.head, 0.5, 1.0)
    found = []
    for scale in (1.0, 1 + 1e-6):
        map = (scale * torch.eye(2, 3, dtype=F64)).requires_grad_()
        warp(image, kernel, map, antialias=True).square().sum().backward()
        found.append(map.grad)
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


def test_an_angle_can_be_learned():
    y, x = torch.meshgrid(*[torch.arange(32.0)] * 2, indexing="ij")
    image = (torch.sin(y / 3) + torch.cos(x / 4))[None]
    target = warp(image, "cubic", rotation(7.5, 32))
    angle = torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.Adam([angle], lr=0.3)
    for _ in range(150):
        loss = F.mse_loss(warp(image, "cubic", rotation(angle, 32)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert angle.item() == pytest.approx(7.5, abs=0.01)


def test_one_transform_for_each_image():
    image = torch.randn(2, 3, 8, 8, dtype=F64)
    matrices = torch.stack([AFFINE, AFFINE.flip(1)])
    for kernel in ("cubic", CosineKernel(3, 2, (3, 3), dtype=F64)):
        out = warp(image, kernel, matrices)
        each = [warp(image[i], kernel, matrices[i]) for i in range(2)]
        torch.testing.assert_close(out, torch.stack(each))
        assert warp(image[:0], kernel, AFFINE).shape == (0, *out.shape[1:])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("antialias", [False, True])
def test_low_precision(dtype, antialias):
    """At most twice the error of rounding input and output."""
    image = torch.rand(1, 3, 40, 40, dtype=F64)
    options = {"antialias": antialias, "size": 30}
    truth = warp(image, "cubic", 1.3 * AFFINE, **options)
    rounded = warp(image.to(dtype).double(), "cubic", 1.3 * AFFINE, **options).to(dtype)
    out = warp(image.to(dtype), "cubic", 1.3 * AFFINE, **options)
    assert out.dtype == dtype
    error = (out.double() - truth).abs().max()
    assert error <= 2 * (rounded.double() - truth).abs().max()


def test_layout_and_autocast():
    image = torch.rand(2, 3, 9, 9).to(memory_format=torch.channels_last)
    out = warp(image, "cubic", rotation(30, 9))
    assert out.is_contiguous(memory_format=torch.channels_last)
    plain = warp(image.contiguous(), "cubic", rotation(30, 9))
    torch.testing.assert_close(out, plain, rtol=0, atol=0)
    with torch.autocast("cpu", torch.bfloat16):
        again = warp(image, "cubic", rotation(30, 9))
    assert torch.equal(again, out)


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor that any operation makes."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **kwargs or {})
        if isinstance(out, Tensor):
            self.size = max(self.size, out.untyped_storage().nbytes())
        return out


@pytest.mark.parametrize("antialias", [False, True])
def test_memory_does_not_grow_with_the_kernel(antialias):
    """All neighbors would be 13 MB, and antialias has four times as many."""
    image = torch.rand(1, 1, 300, 300)
    matrix = rotation(30, 300).float().requires_grad_()
    with Largest() as largest:
        warp(image, "lanczos3", 2 * matrix, antialias=antialias).sum().backward()
    assert largest.size <= max(2**21, 4 * image.nbytes)


def test_absurd_scales_are_refused():
    image = torch.rand(1, 1, 512, 512)
    matrix = torch.tensor([[1e4, 0.0, 0.0], [0.0, 30.0, 0.0]])
    words = r"up to 20(48|49) x 120 each, .*: resize the input first"
    with pytest.raises(ValueError, match=words):
        warp(image, "cubic", matrix, antialias=True, padding_mode="replicate")


@pytest.mark.parametrize("kernel", [GaussianKernel(1e6), BoxKernel(10**18)])
def test_absurd_kernels_are_refused(kernel):
    words = (
        r"covers .* pixels for each of 64 x 64, but the image has 64 x 64; take a sm"
    )
    with pytest.raises(ValueError, match=words):
        warp(torch.rand(1, 1, 64, 64), kernel, torch.eye(2, 3))


IMAGE = torch.zeros(2, 3, 8, 8)
REFUSED = {
    "kind": (
        {"transform": [[1.0]]},
        TypeError,
        "transform must be a .*tensor, got list",
    ),
    "dtype": ({"transform": torch.zeros(2, 3).int()}, TypeError, "got torch.int32"),
    "shape": (
        {"transform": torch.zeros(3, 2)},
        ValueError,
        r"transform must be \[2, 3\], \[3, 3\] or \[h, w, 2\], .*, got \(3, 2\)",
    ),
    "batch": (
        {"transform": torch.zeros(3, 2, 3)},
        ValueError,
        "of the 2 images .* got 3",
    ),
    "sparse": (
        {"input": IMAGE.to_sparse()},
        TypeError,
        "input must be a dense tensor, got one of layout torch.sparse_coo",
    ),
    "sparse map": (
        {"transform": torch.eye(3).to_sparse()},
        TypeError,
        "transform must be a dense tensor, got one of layout torch.sparse_coo",
    ),
    "nan": ({"transform": torch.full((2, 3), math.nan)}, ValueError, "must be finite"),
    "image": ({"input": IMAGE[0, 0]}, ValueError, r"got 2 axes: \(8, 8\)"),
    "bytes": ({"input": IMAGE.byte()}, TypeError, "got torch.uint8; convert it"),
    "kernel": ({"kernel": "sync"}, ValueError, "unknown kernel 'sync'; choose one of"),
    "axes": ({"kernel": BoxKernel(ndim=1)}, ValueError, "2 axes, got one with 1"),
    "channels": ({"kernel": CosineKernel(2, 2, (3, 3))}, ValueError, "2 channels"),
    "size": ({"size": 0}, ValueError, "size must be at least 1, got 0"),
    "flow": (
        {"transform": torch.zeros(5, 6, 2), "size": 5},
        ValueError,
        r"size is \(5, 5\), but transform is a flow for \(5, 6\)",
    ),
    "padding": ({"padding_mode": "none"}, ValueError, "unknown padding_mode 'none'"),
    "memory": ({"size": 10**9}, ValueError, "ask for a smaller scale or size"),
}


@pytest.mark.parametrize("wrong, error, words", REFUSED.values(), ids=REFUSED)
def test_refuses(wrong, error, words):
    right = {"input": IMAGE, "kernel": "cubic", "transform": torch.eye(3)}
    with pytest.raises(error, match=words):
        warp(**{**right, **wrong})


@pytest.mark.parametrize("degrees", [math.nan, torch.zeros(2, 2), torch.tensor(3)])
def test_refused_angles(degrees):
    with pytest.raises(ValueError, match="degrees must be a finite angle"):
        rotation(degrees, 8)


@given(st.lists(st.integers(0, 4), max_size=5), st.lists(st.integers(0, 4), max_size=5))
def test_any_shapes(image, transform):
    """A result of the right shape, or an error that names what is wrong."""
    try:
        out = warp(torch.zeros(image), "cubic", torch.zeros(transform))
    except (ValueError, TypeError) as error:
        assert re.match("(transform|input|size) ", str(error)), error
        return
    assert out.shape[:-2] == torch.Size(image[:-2])
    assert out.isfinite().all()
