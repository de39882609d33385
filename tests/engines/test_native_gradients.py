"""The gradients of the native engine: against float64, and in every bit."""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from contconv import continuous_conv
from contconv._grid.padding import PADDING_MODES
from contconv.engines.native.library import missing
from contconv.kernels import CosineKernel, SeparableKernel, SplineKernel
from tests.cases import CASES, Case, cosine, refusal

if missing() is not None:
    pytest.skip(
        f"THE NATIVE ENGINE IS NOT TESTED: {missing()}", allow_module_level=True
    )

from tests.instruction_sets import instruction_set as instruction_set
from tests.instruction_sets import threads as threads


class LearnedBasis(SeparableKernel):
    """A separable kernel whose basis has parameters of its own."""

    def __init__(self, dtype: torch.dtype, ndim: int = 2, rank: int = 2) -> None:
        super().__init__((3, 2, 3)[:ndim])
        self.slope = nn.Parameter(torch.randn(ndim, rank, dtype=dtype))
        self.head = nn.Parameter(torch.randn(3, 2, rank**ndim, dtype=dtype))

    def axis_basis(self, distance: Tensor, axis: int) -> Tensor:
        slope = self.slope[axis].to(distance.dtype)
        return torch.cos(distance[..., None] * slope + axis)


# What vectors, tiles and blocks of channels make of other sizes.
WIDE = {
    "64 channels": Case((2, 64, 23, 19), cosine(64, 64, (3, 3)), {"scale": 0.7391}),
    "48 to 33": Case((1, 48, 9, 11), cosine(48, 33, (3, 3)), {"scale": 2.2}),
    "17 to 80": Case((3, 17, 7, 21), cosine(17, 80, (4, 3)), {"scale": (1.3, 0.4)}),
    "depthwise": Case(
        (2, 37, 9, 8), cosine(37, 37, (3, 3), groups=37), {"scale": 0.7, "groups": 37}
    ),
    "depthwise, splines": Case(
        (3, 18, 13, 17),
        lambda d: SplineKernel(18, 18, (5, 5), groups=18, dtype=d),
        {"scale": 0.5, "groups": 18},
    ),
    "depthwise, rank 4": Case(
        (2, 5, 12, 9), cosine(5, 5, (4, 3), frequencies=4, groups=5), {"groups": 5}
    ),
    "long": Case((2, 3, 2500), cosine(3, 2, (5,)), {"scale": 0.9}),
    "rank 6": Case(
        (1, 4, 5, 6, 7), cosine(4, 5, (3, 3, 3), frequencies=(6, 2, 5)), {"scale": 0.8}
    ),
    "learned": Case((2, 2, 12, 9), LearnedBasis, {"scale": (0.8, 1.4)}),
    "learned, 1d": Case((2, 2, 12), lambda d: LearnedBasis(d, 1, 5), {"scale": 0.8}),
    "learned, 3d": Case((1, 2, 4, 5, 6), lambda d: LearnedBasis(d, 3), {"scale": 1.3}),
}
ALL = {**CASES, **WIDE}


def gradients(
    engine: str, case: Case, dtype: torch.dtype, mode: str, strided: bool = False
) -> dict[str, Tensor] | None:
    """All gradients by name, from the same numbers in each dtype; None if refused."""
    torch.manual_seed(7)
    kernel = case.kernel(torch.float32)
    image = torch.randn(case.image)
    if strided:
        image = image.movedim(1, -1).contiguous().movedim(-1, 1)
    image = image.to(dtype).requires_grad_()
    kernel = kernel.to(torch.promote_types(dtype, torch.float32))
    options = {**case.options, "padding_mode": mode}
    if dtype == torch.bfloat16:
        kernel = kernel.to(dtype)
    if engine == "native" and refusal(engine, image, kernel, options):
        return None
    out = continuous_conv(image, kernel, **options, engine=engine)
    probe = torch.randn(out.shape).to(dtype)
    if strided:
        probe = probe.transpose(-1, 1).contiguous().transpose(-1, 1)
    leaves = {"image": image, **dict(kernel.named_parameters())}
    found = torch.autograd.grad(out, list(leaves.values()), probe)
    return dict(zip(leaves, found, strict=True))


def check(case: str, actual: dict[str, Tensor], truth: dict[str, Tensor], most: float):
    for name, gradient in actual.items():
        expected = truth[name]
        assert gradient.shape == expected.shape
        error = (gradient.double() - expected).norm() / expected.norm().clamp(min=1e-30)
        if expected.numel() and not error <= most:
            raise AssertionError(f"{case}, gradient of {name}: error {error:.1e}")


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_float32(mode, instruction_set):
    tested = 0
    for name, case in ALL.items():
        for strided in (False, True):
            actual = gradients("native", case, torch.float32, mode, strided)
            if actual is None:
                continue
            truth = gradients("reference", case, torch.float64, mode, strided)
            assert truth is not None
            check(name, actual, truth, 5e-6)
            assert actual["image"].dtype == torch.float32
            tested += 1
    assert tested > 40


def test_bfloat16(instruction_set):
    """As near to the gradients of bfloat16's numbers as their own rounding."""
    for name, case in WIDE.items():
        if name.startswith("learned"):
            continue
        actual = gradients("native", case, torch.bfloat16, "reflect")
        assert actual is not None and actual["image"].dtype == torch.bfloat16
        image = gradients("reference", case, torch.float64, "reflect")
        assert image is not None
        check(name, actual, image, 1e-2)


def given(kernel: SeparableKernel, image: Tensor, scale: float) -> list[Tensor]:
    """What the operators take beside the gradient."""
    from contconv._grid.grid import AxisGrid, resized_axes
    from contconv.engines import Problem
    from contconv.engines.native.tables import axis_tables

    sizes = tuple(image.shape[2:])
    axes = resized_axes(sizes, kernel.kernel_size, scale, None)
    problem = Problem(image, kernel, AxisGrid(axes, "reflect"), 1)
    return [image, kernel.head.detach(), *axis_tables(problem)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [0.6, 1.7])
def test_bits_do_not_depend_on_threads(dtype, scale, threads):
    """Nor do they change when the number of threads does between the passes."""
    shapes = [(3, 20, 33, 17), (1, 5, 40, 90), (2, 3, 3000), (2, 18, 60, 70)]
    for shape in shapes:
        groups = 18 if shape[1] == 18 else 1
        kernel = CosineKernel(shape[1], 18, (3,) * (len(shape) - 2), groups=groups)
        inputs = given(kernel, torch.randn(shape).to(dtype), scale)
        forward = torch.ops.contconv_native.separable
        probe = torch.randn_like(forward(*inputs, groups, -1))
        backward = torch.ops.contconv_native.separable_backward
        first = None
        for count in (1, 2, 3, 5, 8, 17, 1):
            torch.set_num_threads(count)
            found = backward(probe, *inputs, groups, -1, -1, *[True] * 5)
            first = first or found
            for one, other in zip(first, found, strict=True):
                assert torch.equal(one, other), f"{shape}, {count} threads"


def test_all_orders_agree(instruction_set):
    """Those that are not the cheapest somewhere too."""
    image = torch.randn(2, 7, 11, 14)
    inputs = given(CosineKernel(7, 20, (3, 4)), image, 1.2)
    probe = torch.randn_like(torch.ops.contconv_native.separable(*inputs, 1, -1))
    backward = torch.ops.contconv_native.separable_backward
    wanted = [True, True, False, False, False]
    expected = backward(probe, *inputs, 1, 0, 0, *wanted)
    for order in (1, 2, 3):
        found = backward(probe, *inputs, 1, order, 1, *wanted)
        actual = {"image": found[0], "head": found[1]}
        truth = {"image": expected[0].double(), "head": expected[1].double()}
        check(f"order {order}", actual, truth, 2e-6)
        assert not any(one.numel() for one in found[2:])


@pytest.mark.parametrize("last", [False, True])
def test_depthwise_by_all_sides(last, instruction_set):
    """The way of depthwise convolutions is taken, and gives what the others give."""
    image = torch.randn(3, 21, 19, 18)
    if last:
        image = image.contiguous(memory_format=torch.channels_last)
    inputs = given(CosineKernel(21, 21, (3, 4), groups=21), image, 0.6)
    probe = torch.randn_like(torch.ops.contconv_native.separable(*inputs, 21, -1))
    backward = torch.ops.contconv_native.separable_backward
    heads = [
        backward(probe, *inputs, 21, -1, side, False, True, *[False] * 3)[1]
        for side in (0, 1, 2, -1)
    ]
    for head in heads[:2]:
        torch.testing.assert_close(heads[2], head, rtol=2e-5, atol=2e-5)
    assert torch.equal(heads[3], heads[2])


def layer_call(image: Tensor, kernel: SeparableKernel) -> Tensor:
    return continuous_conv(image, kernel, scale=0.7, engine="native")


def test_expanded_gradient_and_image():
    """Of strides zero, as a sum and a broadcast image have them."""
    kernel = CosineKernel(3, 5, (3, 3))
    image = torch.randn(2, 1, 9, 9).expand(2, 3, 9, 9).requires_grad_()
    out = layer_call(image, kernel)
    found = torch.autograd.grad(out.sum(), (image, kernel.head), retain_graph=True)
    plain = torch.ones_like(out).contiguous()
    dense = layer_call(image.detach().clone().requires_grad_(), kernel)
    expected = torch.autograd.grad(dense, kernel.head, plain)
    torch.testing.assert_close(found[1], expected[0], rtol=0, atol=0)
    torch.testing.assert_close(
        found[0], torch.autograd.grad(out, image, plain)[0], rtol=0, atol=0
    )


def test_nan_reaches_what_it_touches_only():
    kernel = CosineKernel(3, 5, (3, 3))
    image = torch.randn(1, 3, 20, 20, requires_grad=True)
    out = layer_call(image, kernel)
    probe = torch.randn_like(out)
    probe[0, 2, 7, 7] = torch.nan
    (touched,) = torch.autograd.grad(out, image, probe, retain_graph=True)
    one = torch.zeros_like(out)
    one[0, 2, 7, 7] = 1
    (reached,) = torch.autograd.grad(out, image, one)
    support = (reached != 0).any(1)
    assert torch.equal(touched.isnan().all(1), support)
    assert torch.equal(touched.isnan().any(1), support)
    assert 4 <= support.sum() <= 9


@pytest.mark.parametrize("channels, groups", [((1, 19), 1), ((4, 3), 1), ((5, 5), 5)])
@pytest.mark.parametrize("align", ["center", "first", "edge"])
def test_an_axis_of_one_pixel_has_its_weight(
    align, channels: tuple[int, int], groups, instruction_set
):
    """On the edge of the support, half: an axis that is not there has 1."""
    kernel = CosineKernel(*channels, (2, 1, 3), frequencies=(1, 2, 2), groups=groups)
    found = []
    for engine, dtype in (("native", torch.float32), ("reference", torch.float64)):
        torch.manual_seed(3)
        image = torch.randn(2, channels[0], 1, 7, 4).to(dtype).requires_grad_()
        options = {"scale": (1, 2, 1.7), "align": align, "groups": groups}
        own = kernel.to(dtype)
        out = continuous_conv(image, own, engine=engine, **options)
        probe = torch.randn(out.shape).to(dtype)
        found.append((out, *torch.autograd.grad(out, [image, own.head], probe)))
    for one, truth in zip(*found, strict=True):
        assert (one - truth).norm() <= 1e-5 * truth.norm()


def test_only_what_is_asked_for():
    kernel = CosineKernel(3, 5, (3, 3)).requires_grad_(False)
    image = torch.randn(2, 3, 9, 9, requires_grad=True)
    out = layer_call(image, kernel)
    assert torch.autograd.grad(out.sum(), image)[0].shape == image.shape
    kernel.requires_grad_(True)
    out = layer_call(image.detach(), kernel)
    assert torch.autograd.grad(out.sum(), kernel.head)[0].shape == kernel.head.shape


def test_an_image_of_few_pixels_under_many_outputs():
    """Their transposed table would be thousands wide: PyTorch's operators do it."""
    kernel = CosineKernel(2, 3, (3,))
    image = torch.randn(1, 2, 300, requires_grad=True)
    options = {"scale": 1, "size": 3000, "padding_mode": "replicate"}
    double = CosineKernel(2, 3, (3,), dtype=torch.float64)
    double.load_state_dict(kernel.state_dict())
    found = torch.autograd.grad(
        continuous_conv(image, kernel, **options, engine="native").square().sum(),
        (image, kernel.head),
    )
    truth = image.detach().double().requires_grad_()
    expected = torch.autograd.grad(
        continuous_conv(truth, double, **options, engine="reference").square().sum(),
        (truth, double.head),
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-3)


def test_second_derivatives_and_batches_of_gradients():
    """By PyTorch's operators: never a silent zero."""
    kernel = LearnedBasis(torch.float32)
    image = torch.randn(2, 2, 7, 9, requires_grad=True)
    leaves = [image, *kernel.parameters()]

    def penalty(engine: str) -> list[Tensor]:
        out = continuous_conv(image, kernel, scale=0.8, engine=engine).square().sum()
        first = torch.autograd.grad(out, leaves, create_graph=True)
        total = torch.stack([one.square().sum() for one in first]).sum()
        return list(torch.autograd.grad(total, leaves))

    for one, other in zip(penalty("native"), penalty("reference"), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)
    out = continuous_conv(image, kernel, scale=0.8, engine="native")
    probes = torch.randn(3, *out.shape)
    batch = torch.autograd.grad(
        out, leaves, probes, is_grads_batched=True, retain_graph=True
    )
    for i, probe in enumerate(probes):
        each = torch.autograd.grad(out, leaves, probe, retain_graph=True)
        for one, many in zip(each, batch, strict=True):
            torch.testing.assert_close(many[i], one, rtol=1e-4, atol=1e-4)


@pytest.mark.plain
@pytest.mark.parametrize("channels_last", [False, True])
def test_compiled(channels_last):
    """One graph, with the gradients of eager mode, bit for bit."""
    kernel = LearnedBasis(torch.float32)
    image = torch.randn(2, 2, 7, 9)
    if channels_last:
        image = image.to(memory_format=torch.channels_last)
    image.requires_grad_()
    leaves = [image, *kernel.parameters()]

    def loss(image: Tensor) -> Tensor:
        return continuous_conv(image, kernel, scale=0.8, engine="native").square().sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    actual = torch.autograd.grad(compiled(image), leaves)
    expected = torch.autograd.grad(loss(image), leaves)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    assert actual[0].stride() == expected[0].stride()


def test_transforms_are_refused():
    kernel = CosineKernel(2, 3, (3, 3))
    image = torch.randn(1, 2, 7, 9)
    with pytest.raises(ValueError, match=r"torch\.func and forward mode"):
        torch.func.grad(lambda image: layer_call(image, kernel).sum())(image)
    with forward_ad.dual_level(), pytest.raises(ValueError, match="forward mode"):
        layer_call(forward_ad.make_dual(image, image), kernel)
