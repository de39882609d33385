"""`warp` and `resize` in float32, by the library in C++, against float64."""

import itertools
import sys
from fractions import Fraction
from functools import cache

import pytest
import torch
from torch import Tensor

from contconv import resize, rotation, warp
from contconv._grid.padding import PADDING_MODES
from contconv.engines.native.library import missing
from contconv.functional.resize_in_library import suits_library
from contconv.kernels import CubicKernel

if missing() is not None:
    pytest.skip(f"NOT TESTED: {missing()}", allow_module_level=True)

from tests.functional.test_imresize import cubic, imresize, picture
from tests.instruction_sets import instruction_set as instruction_set

# The function of the same name hides it.
resize_module = sys.modules[resize.__module__]

KERNELS = ("box", "linear", "cubic", "lanczos2", "lanczos3")

AFFINE = torch.tensor([[0.913, 0.317, -1.219], [-0.411, 1.137, 2.311]])
MAPS = {
    "affine": AFFINE,
    "homography": torch.cat([AFFINE, torch.tensor([[0.023, -0.011, 0.7]])]),
    "far": torch.tensor([[0.9037, 0.1013, 20.317], [0.2011, 1.1071, -35.119]]),
    "move": torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, -3.0]]),
    "of each": torch.stack([AFFINE, AFFINE + 0.0137]),
    "flow": 4 * torch.rand(9, 141, 2, generator=torch.Generator().manual_seed(3)),
}


@pytest.mark.parametrize("name", MAPS)
def test_warp(name, instruction_set):
    """Along rows of one whole run of pixels and a part, whatever lies outside."""
    image = torch.randn(2, 3, 13, 90)
    for kernel in KERNELS:
        for mode in PADDING_MODES:
            options = {"size": (9, 141), "padding_mode": mode}
            out = warp(image, kernel, MAPS[name], **options)
            expected = warp(image.double(), kernel, MAPS[name].double(), **options)
            # Where a position is rounded, a box may take the pixel beside.
            off = (out - expected).abs() > 5e-5
            assert off.float().mean() <= (1e-3 if kernel == "box" else 0), mode


def test_warp_of_low_precision_and_other_layouts():
    image = torch.randn(2, 3, 12, 14)
    expected = warp(image, "cubic", AFFINE)
    last = image.contiguous(memory_format=torch.channels_last)
    assert torch.equal(warp(last, "cubic", AFFINE), expected)
    assert torch.equal(warp(image[0], "cubic", AFFINE), expected[0])
    half = warp(image.bfloat16(), "cubic", AFFINE)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), expected, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("kernel", KERNELS)
def test_warp_keeps_what_is_no_number_to_its_neighbors(kernel, instruction_set):
    """Not beside the support, nor at a weight of zero, as whole moves have them."""
    image = torch.randn(1, 1, 12, 20)
    image[0, 0, 5, 9] = torch.nan
    for map in (AFFINE, MAPS["move"], rotation(20, (12, 20)).float()):
        if kernel.startswith("lanczos") and map is MAPS["move"]:
            continue  # sines in float64 are not quite zero there
        out = warp(image, kernel, map)
        expected = warp(image.double(), kernel, map.double())
        assert torch.equal(out.isnan(), expected.isnan())
        assert 0 < out.isnan().sum() < out.numel() / 2


def test_warp_of_a_flow_that_is_unknown():
    flow = torch.zeros(6, 7, 2)
    flow[2, 3, 0], flow[4, 1, 1], flow[5, 5] = torch.nan, torch.inf, -1e30
    image = torch.rand(1, 2, 6, 7) + 1
    out = warp(image, "cubic", flow)
    unknown = ~(flow.abs() < 2**30).all(-1)
    assert torch.equal((out == 0).all(1)[0], unknown)
    torch.testing.assert_close(out[..., ~unknown], image[..., ~unknown])


@pytest.mark.parametrize("name", ["affine", "homography", "flow"])
def test_gradients_of_warp(name):
    def found(dtype: torch.dtype) -> list[Tensor]:
        torch.manual_seed(5)
        image = torch.randn(2, 3, 13, 15).to(dtype).requires_grad_()
        map = MAPS[name][:, :15] if name == "flow" else MAPS[name]
        map = map.clone().to(dtype).requires_grad_()
        out = warp(image, "cubic", map, size=(9, 15))
        probe = torch.randn(out.shape).to(dtype)
        first = torch.autograd.grad(out, [image, map], probe, create_graph=True)
        second = torch.autograd.grad(first[1].square().sum(), [image, map])
        return [out, *first, *second]

    for one, truth in zip(found(torch.float32), found(torch.float64), strict=True):
        assert (one - truth).norm() < 1e-4 * truth.norm()


# They shrink obliquely, towards a horizon, by more than the image, or here and there.
LONG = torch.tensor([[1.713, 2.117, -3.219], [-0.611, 1.937, 2.311]])
SHRINKING = {
    "oblique": LONG,
    "horizon": torch.cat([LONG, torch.tensor([[-0.023, 0.013, 0.31]])]).double(),
    "along x": torch.tensor([[0.8171, 0.0, 2.3], [0.0, 23.7139, -300.0]]),
    "of each": torch.stack([0.7 * LONG, 2 * LONG]).double(),
    "outside": torch.tensor([[3.0171, 0.0, 90.3], [0.0, 3.0113, 0.1]]),
    "ties": torch.tensor([[2.0, 0.0, 1.0], [0.0, 4.0, -3.0]]),
    "flow": 9 * MAPS["flow"][:4, :37],
}


@cache
def stretched(name: str, kernel: str, mode: str, dtype: torch.dtype) -> list[Tensor]:
    """The output, and the gradients of image and map."""
    torch.manual_seed(5)
    image = torch.randn(2, 3, 11, 50).to(dtype).requires_grad_()
    map = SHRINKING[name].clone().to(torch.promote_types(dtype, SHRINKING[name].dtype))
    map.requires_grad_(kernel != "box")
    options = {"size": (4, 37), "padding_mode": mode, "antialias": True}
    out = warp(image, kernel, map, **options)
    inputs = [one for one in (image, map) if one.requires_grad]
    return [out, *torch.autograd.grad(out, inputs, torch.randn(out.shape).to(dtype))]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", SHRINKING)
def test_warp_with_footprints(name, kernel, instruction_set):
    mode = PADDING_MODES[(len(name) + len(kernel)) % 5]
    found = stretched.__wrapped__(name, kernel, mode, torch.float32)
    truths = stretched(name, kernel, mode, torch.float64)
    for one, truth in zip(found, truths, strict=True):
        assert one.isfinite().all()
        # Where a position is rounded, a box may take the pixel beside.
        most = 0.05 if kernel == "box" and name != "ties" else 1e-4
        assert (one - truth).norm() <= most * truth.norm(), mode


@pytest.mark.parametrize("padding_mode", PADDING_MODES)
def test_footprints_keep_what_is_no_number_to_their_neighbors(padding_mode):
    """In the output, and in the gradients of image and flow."""
    image = torch.randn(1, 2, 14, 60)
    image[0, 0, 5, 9], image[0, 0, 6, 40] = torch.nan, torch.inf
    flow = torch.stack([pixel_map(8, 30, 1.7, 0.4), pixel_map(8, 30, 0.3, 1.9)], -1)
    probe = torch.ones(1, 2, 8, 30)
    probe[0, 1, 4, 7] = torch.inf
    found = []
    for dtype in (torch.float32, torch.float64):
        inputs = image.to(dtype).requires_grad_(), flow.to(dtype).requires_grad_()
        options = {"antialias": True, "padding_mode": padding_mode}
        out = warp(inputs[0], "cubic", inputs[1], **options)
        grads = torch.autograd.grad(out, inputs, probe.to(dtype))
        found.append([one.isfinite() for one in (out, *grads)])
        one = torch.zeros_like(out)
        one[0, 1, 4, 7] = 1
        out = warp(inputs[0], "cubic", inputs[1], **options)
        (touched,) = torch.autograd.grad(out, inputs[0], one)
    (out, of_image, of_flow), (same_out, _, same_flow) = found
    assert torch.equal(out, same_out) and not out.all()
    assert torch.equal(of_flow, same_flow) and not of_flow.all()
    assert torch.equal(~of_image, touched != 0) and not of_image.all()


def pixel_map(h: int, w: int, dy: float, dx: float) -> Tensor:
    """Displacements that grow along both axes."""
    y, x = torch.meshgrid(torch.arange(h) * dy, torch.arange(w) * dx, indexing="ij")
    return (y + x) * 0.7


@pytest.mark.parametrize("kernel", ["linear", "cubic", "lanczos3"])
@pytest.mark.parametrize("name", MAPS)
def test_first_gradients_of_warp(name, kernel, instruction_set):
    """By the library, of image and map, whatever lies outside."""

    def found(dtype: torch.dtype, mode: str) -> tuple[Tensor, ...]:
        torch.manual_seed(5)
        image = torch.randn(2, 3, 13, 90).to(dtype).requires_grad_()
        map = MAPS[name].clone().to(dtype).requires_grad_()
        out = warp(image, kernel, map, size=(9, 141), padding_mode=mode)
        return torch.autograd.grad(out, [image, map], torch.randn(out.shape).to(dtype))

    for mode in PADDING_MODES:
        pairs = zip(found(torch.float32, mode), found(torch.float64, mode), strict=True)
        for one, truth in pairs:
            # Towards a horizon, depths are rounded.
            assert (one - truth).norm() <= 3e-4 * truth.norm(), mode


def test_gradient_of_warp_keeps_what_is_no_number_to_its_neighbors(instruction_set):
    """A pixel that is none, and an output whose gradient is none."""
    image = torch.randn(1, 2, 12, 20)
    image[0, 0, 5, 9] = torch.nan
    image.requires_grad_()
    map = AFFINE.clone().requires_grad_()
    out = warp(image, "cubic", map)
    probe = torch.ones_like(out)
    probe[0, 1, 4, 7] = torch.inf
    (of_image,) = torch.autograd.grad(out, image, probe, retain_graph=True)
    assert of_image[0, 0].isfinite().all()
    place = AFFINE[:, :2] @ torch.tensor([4.0, 7.0]) + AFFINE[:, 2]
    near = [
        (torch.arange(n) - at).abs() < 2 for n, at in zip((12, 20), place, strict=True)
    ]
    assert torch.equal(~of_image[0, 1].isfinite(), near[0][:, None] & near[1])
    flow = torch.full((12, 20, 2), 0.3, requires_grad=True)
    out = warp(image, "cubic", flow)
    (of_flow,) = torch.autograd.grad(out.sum(), flow)
    near = [(torch.arange(n) + 0.3 - m).abs() < 2 for n, m in ((12, 5), (20, 9))]
    assert torch.equal(of_flow.isnan().all(-1), near[0][:, None] & near[1])


def test_bits_do_not_depend_on_threads():
    image, before = torch.randn(3, 3, 40, 50), torch.get_num_threads()
    bytes = torch.randint(256, (3, 3, 90, 150), dtype=torch.uint8)
    view = image.clone().requires_grad_(), AFFINE.clone().requires_grad_()
    outs = []
    try:
        for count in (1, 2, 5, 17):
            torch.set_num_threads(count)
            warped = warp(view[0], "lanczos3", view[1])
            given = torch.autograd.grad(warped.square().sum(), view)
            small = warp(view[0], "cubic", 3 * view[1], antialias=True)
            given += torch.autograd.grad(small.square().sum(), view)
            resized = resize(image, scale=0.37), resize(bytes, scale=0.37)
            outs.append((warped, small, *given, *resized))
    finally:
        torch.set_num_threads(before)
    for found in outs[1:]:
        assert all(map(torch.equal, found, outs[0]))


SIZES = [(1, 13), (2, 3, 17, 31), (2, 9, 8, 40), (1, 2, 5, 6, 7)]


@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("kernel", [*KERNELS, "gaussian"])
def test_resize(shape, kernel, instruction_set):
    shape = shape if len(shape) > 2 else (1, *shape)
    image = torch.randn(shape)
    for i, scale in enumerate((0.14, 0.5, 0.7391, 1, 2.3)):
        options = {
            "scale": scale,
            "kernel": kernel,
            "antialias": scale != 0.7391,
            "padding_mode": [None, *PADDING_MODES][(i + len(kernel)) % 6],
            "align": ("center", "edge", "first")[i % 3],
        }
        if kernel == "gaussian" and len(shape) != 4:
            continue
        expected = resize(image.double(), **options)
        out = resize(image, **options)
        torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-5)
        last = image.movedim(1, -1).contiguous().movedim(-1, 1)
        again = resize(last, **options)
        torch.testing.assert_close(again.double(), expected, rtol=1e-5, atol=1e-5)
        assert len(shape) == 3 or again.stride() == resize(last, **options).stride()


@pytest.mark.parametrize("copies", [1, 16])
def test_bytes_by_exact_fractions(copies, instruction_set):
    """Vectors along lines and across them; weights that are whole, and others."""
    image = picture(25, 31)
    lines = torch.from_numpy(image)[None, None]
    for last in (False, True):
        batch = lines.expand(2, copies, 25, 31).contiguous()
        if last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        for scale in (Fraction(1, 3), Fraction(3, 7), Fraction(17, 10)):
            sizes = [-(-n * scale.numerator // scale.denominator) for n in (25, 31)]
            expected = imresize(image, [scale] * 2, sizes, cubic, True)
            out = resize(batch, scale=scale, padding_mode="symmetric", align="edge")
            assert (out == torch.from_numpy(expected)).all()


@pytest.mark.parametrize("shape", [*SIZES, (3, 1, 40), (2, 5, 3, 70)], ids=str)
def test_bytes_by_operators(shape, instruction_set, monkeypatch):
    shape = shape if len(shape) > 2 else (1, *shape)
    first = torch.randint(256, shape, dtype=torch.uint8)
    last = first.movedim(1, -1).contiguous().movedim(-1, 1)
    scales = (0.037, 0.25, 0.7391, 1, 2.3)
    cases = itertools.product(scales, PADDING_MODES, (*KERNELS, "gaussian"))
    for scale, mode, kernel in itertools.islice(cases, len(shape) % 2, None, 2):
        options = {"scale": scale, "padding_mode": mode, "kernel": kernel}
        if kernel == "gaussian" and len(shape) != 4:
            continue
        out = resize(first, **options), resize(last, **options)
        with monkeypatch.context() as patch:
            patch.setattr(resize_module, "suits_library", lambda _: False)
            expected = resize(first, **options)
        assert torch.equal(out[0], expected) and torch.equal(out[1], expected)


def test_bytes_near_a_half_are_summed_again(instruction_set):
    """Float32 does not tell 1.5 from 1.5 - 1e-7, which goes down."""
    weights = [[0.5 + off, 0.5 - off] for off in (-1e-7, 0, 1e-7)]
    pairs = torch.tensor([[1, 2], [2, 1]], dtype=torch.uint8)
    first = torch.zeros(3, dtype=torch.int64)
    for inner in (1, 40):
        image = pairs[..., None].repeat(1, 1, inner)
        given = (first, torch.tensor(weights, dtype=torch.float64), 1, 0, 2)
        out = torch.ops.contconv_native.resample_bytes(image, *given)
        expected = torch.tensor([[2, 2, 1], [1, 2, 2]])[..., None]
        assert (out == expected).all()


def test_resize_of_another_kernel_or_type_is_not_what_is_kept():
    """Nor is what an earlier call allowed."""
    image = torch.randn(1, 2, 16, 16)
    first = resize(image, size=8)
    assert torch.equal(resize(image, size=(8, 8)), first)
    assert torch.equal(resize(image, scale=Fraction(1, 2)), first)
    with pytest.raises(TypeError):
        resize(image, size=8.0)  # type: ignore
    with pytest.raises(ValueError):
        resize(image, size=8, padding_mode="none")
    other = resize(image, size=8, kernel=CubicKernel(-0.75))
    assert (other - first).abs().max() > 1e-3
    half = resize(image.bfloat16(), size=8)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), first, rtol=2e-2, atol=2e-2)
    assert not suits_library(image.double())


def test_resize_keeps_what_is_no_number_to_its_neighbors():
    image = torch.randn(1, 1, 20, 20)
    image[0, 0, 7, 11] = torch.inf
    for scale in (0.4, 1, 1.7, 2):
        out = resize(image, scale=scale)
        expected = resize(image.double(), scale=scale)
        assert torch.equal(out.isfinite(), expected.isfinite())
        assert not out.isfinite().all()


def test_gradients_of_resize():
    def found(dtype: torch.dtype) -> list[Tensor]:
        torch.manual_seed(5)
        image = torch.randn(2, 3, 13, 15).to(dtype).requires_grad_()
        out = resize(image, scale=(0.6, 1.7))
        probe = torch.randn(out.shape).to(dtype)
        plain = torch.autograd.grad(out, image, probe, retain_graph=True)
        graph = torch.autograd.grad(out.square(), image, probe, create_graph=True)
        second = torch.autograd.grad(graph[0].square().sum(), image)
        return [out, *plain, *graph, *second]

    for one, truth in zip(found(torch.float32), found(torch.float64), strict=True):
        assert (one - truth).norm() < 1e-5 * truth.norm()
