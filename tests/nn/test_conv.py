"""The layers do what users of ``nn.Conv2d`` expect of a layer."""

import copy
import io
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from contconv import ContinuousConv1d, ContinuousConv2d, ContinuousConv3d
from contconv.kernels import CosineKernel
from tests.combinations import pairs

LAYERS: dict[int, Any] = {1: ContinuousConv1d, 2: ContinuousConv2d, 3: ContinuousConv3d}
CONVS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
TWO = [2, 2.0, Fraction(2), (2, 2.0), [Fraction(2), 2], np.float32(2), np.int64(2)]
IMAGES = {1: (2, 4, 11), 2: (2, 4, 7, 6), 3: (2, 4, 5, 3, 4)}

in_each_dimension = pytest.mark.parametrize("ndim", LAYERS, ids="{}d".format)
of_each_kernel = pytest.mark.parametrize("kernel", ["cosine", "mlp"])


def image(ndim: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(IMAGES[ndim], dtype=dtype, requires_grad=True)


def run_as_conv(
    layer: Any,
    x: Tensor,
    stride: int = 1,
    padding: Any = "same",
    autocast: bool = False,
) -> Tensor:
    """What nn.Conv1d, 2d or 3d makes of ``x`` with the layer's own filter and bias."""
    per_axis = [(k - 1) / 2 - torch.arange(k) for k in layer.kernel_size]
    distances = torch.stack(torch.meshgrid(per_axis, indexing="ij"), -1).double()
    weight = layer.kernel(distances).movedim((-2, -1), (0, 1)).to(layer.bias.dtype)
    if layer.kernel.is_shared:
        weight = weight.expand(layer.out_channels, *weight.shape[1:])
    sizes = (layer.in_channels, layer.out_channels, layer.kernel_size)
    options = {"groups": layer.groups, "padding_mode": layer.padding_mode}
    conv = CONVS[layer.ndim](*sizes, stride, padding, **options)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        return functional_call(conv, {"weight": weight, "bias": layer.bias}, x)


def assert_same_with_gradients(actual: Tensor, expected: Tensor, leaves: list) -> None:
    torch.testing.assert_close(actual, expected)
    probe = torch.randn_like(expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual, leaves, probe),
        torch.autograd.grad(expected, leaves, probe),
    )


@pairs(
    ndim=[1, 2, 3],
    mode=["zeros", "reflect", "replicate", "circular"],
    groups=[1, 2, 4],
)
def test_is_a_convolution_at_scale_one(ndim, mode, groups):
    size = (3, 5, 3)[:ndim]
    options: dict[str, Any] = {"groups": groups, "padding_mode": mode}
    layer = LAYERS[ndim](4, 8, size, **options, dtype=torch.float64)
    x = image(ndim, torch.float64)
    assert_same_with_gradients(
        layer(x), run_as_conv(layer, x), [x, *layer.parameters()]
    )


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("width", [2, 4, 6])
def test_is_a_strided_convolution_at_scale_one_half(width, mode):
    layer = ContinuousConv2d(4, 3, width, scale=0.5, padding_mode=mode).double()
    x = torch.randn(2, 4, 8, 10, dtype=torch.float64, requires_grad=True)
    expected = run_as_conv(layer, x, stride=2, padding=width // 2 - 1)
    assert_same_with_gradients(layer(x), expected, [x, *layer.parameters()])


def test_one_kernel_for_all_channels():
    kernel = CosineKernel(1, 1, (3, 3))
    layer = ContinuousConv2d(4, 4, 3, groups=4, kernel=kernel).double()
    x = image(2, torch.float64)
    assert_same_with_gradients(
        layer(x), run_as_conv(layer, x), [x, *layer.parameters()]
    )


@of_each_kernel
@in_each_dimension
def test_unbatched(ndim, kernel):
    layer = LAYERS[ndim](4, 3, 3, scale=0.7, kernel=kernel)
    x = image(ndim)
    torch.testing.assert_close(layer(x[0]), layer(x)[0])


@in_each_dimension
def test_bias_is_added(ndim):
    layer = LAYERS[ndim](4, 3, 3, scale=1.3)
    without = LAYERS[ndim](4, 3, 3, scale=1.3, bias=False, kernel=layer.kernel)
    x = image(ndim)
    expected = without(x) + layer.bias.view(-1, *[1] * ndim)
    torch.testing.assert_close(layer(x), expected)


@of_each_kernel
@pytest.mark.parametrize("dtype", [torch.double, torch.bfloat16, torch.half], ids=str)
def test_dtypes(dtype, kernel):
    built = ContinuousConv2d(4, 3, 3, scale=0.7, kernel=kernel, dtype=dtype)
    converted = ContinuousConv2d(4, 3, 3, scale=0.7, kernel=kernel).to(dtype)
    for layer in (built, converted):
        assert {p.dtype for p in layer.parameters()} == {dtype}
        out = layer(image(2, dtype))
        assert out.dtype == dtype and out.isfinite().all()


def test_state_dict():
    layer = ContinuousConv2d(4, 3, 3, scale=0.7)
    assert set(layer.state_dict()) == {"bias", "kernel.head"}
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    other = ContinuousConv2d(4, 3, 3, scale=0.7)
    on_meta = ContinuousConv2d(4, 3, 3, scale=0.7, device="meta")
    other.load_state_dict(state, strict=True)
    on_meta.load_state_dict(state, strict=True, assign=True)
    x = image(2)
    assert torch.equal(other(x), layer(x))
    assert torch.equal(on_meta(x), layer(x))


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
@of_each_kernel
def test_duplicates_are_independent(kernel, way):
    layer = ContinuousConv2d(4, 3, 3, scale=0.7, padding_mode="reflect", kernel=kernel)
    x = image(2)
    before = layer(x)
    copied = way == "deepcopy"
    twin = copy.deepcopy(layer) if copied else pickle.loads(pickle.dumps(layer))
    assert torch.equal(twin(x), before)
    nn.init.zeros_(twin.kernel.head)
    assert torch.equal(layer(x), before)
    assert not torch.equal(twin(x), before)


def test_repr():
    options: dict[str, Any] = {"groups": 2, "bias": False, "padding_mode": "reflect"}
    layer = ContinuousConv2d(4, 8, (3, 5), scale=(0.5, 2), **options)
    assert repr(layer) == (
        "ContinuousConv2d(\n  4, 8, kernel_size=(3, 5), scale=(1/2, 2), groups=2, "
        "bias=False, padding_mode='reflect'\n  (kernel): CosineKernel(2, 8, "
        "kernel_size=(3, 5), rank=15)\n)"
    )


@of_each_kernel
def test_meta_device(kernel):
    layer = ContinuousConv2d(4, 3, 3, kernel=kernel, device="meta")
    x = image(2)
    out = layer(x.to("meta"), scale=(0.7, 2.3))
    assert (out.device.type, out.shape) == ("meta", (2, 3, 5, 14))
    layer.to_empty(device="cpu").reset_parameters()
    assert layer(x).isfinite().all()


@of_each_kernel
def test_reset_is_reproducible(kernel):
    layer = ContinuousConv2d(4, 3, 3, kernel=kernel)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        layer.reset_parameters()
        drawn.append({name: p.clone() for name, p in layer.named_parameters()})
    torch.testing.assert_close(drawn[0], drawn[1], rtol=0, atol=0)
    assert not any(torch.equal(drawn[0][name], drawn[2][name]) for name in drawn[0])


@of_each_kernel
@in_each_dimension
def test_float32_agrees_with_float64(ndim, kernel):
    layer = LAYERS[ndim](4, 3, 3, scale=0.7, kernel=kernel)
    x = image(ndim)
    expected = copy.deepcopy(layer).double()(x.double())
    torch.testing.assert_close(layer(x), expected.float())


def assert_no_worse(actual: Tensor, baseline: Tensor, truth: Tensor) -> None:
    """At most twice the baseline's own error; NaN fails."""
    error, own = ((x.double() - truth).abs().max().item() for x in (actual, baseline))
    assert error <= 2 * own, f"max error {error:.2e}, baseline {own:.2e}"


def assert_nearly_as_exact(actual: Tensor, baseline: Tensor, truth: Tensor) -> None:
    """At most 1.5 times the baseline's own root mean square error."""
    error, own = ((x.double() - truth).norm().item() for x in (actual, baseline))
    assert error <= 1.5 * own, f"error {error:.2e}, baseline {own:.2e}"


@of_each_kernel
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("scale", [0.7, 1, 2.3])
def test_low_precision(scale, dtype, kernel):
    layer = ContinuousConv2d(16, 8, 3, scale=scale, kernel=kernel, dtype=dtype)
    x = torch.randn(2, 16, 12, 13, dtype=dtype)
    literal = copy.deepcopy(layer)
    literal.engine = "reference"
    assert_no_worse(layer(x), literal(x), literal.double()(x.double()))


def test_autocast():
    """Like nn.Conv2d: bfloat16 out, float32 gradients, and no less exact."""
    layer = ContinuousConv2d(16, 8, 3)
    exact = copy.deepcopy(layer).double()
    x = torch.randn(2, 16, 12, 13)
    probe = torch.randn(2, 8, 12, 13).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        actual = layer(x)
    conv = run_as_conv(layer, x, autocast=True)
    truth = exact(x.double())
    assert actual.dtype == conv.dtype == torch.bfloat16
    # The resampled image is rounded, too, where the products are of bfloat16. The mean
    # square counts: which error is the largest is chance.
    assert_nearly_as_exact(actual, conv, truth)
    wanted = [
        torch.autograd.grad(out, [*module.parameters()], probe.to(out.dtype))
        for module, out in ((layer, actual), (layer, conv), (exact, truth))
    ]
    for gradient, baseline, true_gradient in zip(*wanted, strict=True):
        assert gradient.dtype == torch.float32
        assert_no_worse(gradient, baseline, true_gradient)


@pytest.mark.parametrize("scale", [0.7, 1, 2.3])
@pytest.mark.parametrize("ndim", CHANNELS_LAST, ids="{}d".format)
def test_memory_format_is_kept(ndim, scale):
    layer, last = LAYERS[ndim](4, 3, 3, scale=scale), CHANNELS_LAST[ndim]
    x = image(ndim)
    out, out_last = layer(x), layer(x.contiguous(memory_format=last))
    assert out.is_contiguous()
    assert out_last.is_contiguous(memory_format=last)
    torch.testing.assert_close(out, out_last)


@of_each_kernel
@in_each_dimension
def test_batch_of_none(ndim, kernel):
    layer = LAYERS[ndim](4, 3, 3, scale=0.5, kernel=kernel)
    x = image(ndim)[:0]
    out = layer(x)
    assert out.shape == (0, 3, *layer(image(ndim)).shape[2:])
    out.sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())


@of_each_kernel
def test_frozen_layer(kernel):
    layer = ContinuousConv2d(4, 3, 3, scale=0.7, kernel=kernel).requires_grad_(False)
    x = image(2)
    layer(x).sum().backward()
    assert x.grad is not None and x.grad.any()
    assert all(p.grad is None for p in layer.parameters())
    assert not layer(x.detach()).requires_grad


@of_each_kernel
def test_training_step_beside_a_convolution(kernel):
    layer = ContinuousConv2d(8, 4, 3, scale=0.5, kernel=kernel)
    net = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), layer)
    x, target = torch.randn(8, 4, 10, 10), torch.randn(8, 4, 4, 4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    losses = []
    for _ in range(2):
        loss = nn.functional.mse_loss(net(x), target)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.any() for p in net.parameters())
        optimizer.step()
    assert losses[1] < losses[0]


@pytest.mark.parametrize("scale", TWO, ids=repr)
def test_forms_of_scale(scale):
    layer = ContinuousConv2d(4, 3, 3, scale=scale)
    assert layer.scale is not None and layer.scale == (2, 2)
    # NumPy's whole numbers would overflow where Python's grow.
    assert {type(ratio.numerator) for ratio in layer.scale} == {int}
    x = image(2)
    expected = layer(x, size=(14, 12))
    assert torch.equal(layer(x), expected)
    assert torch.equal(layer(x, scale=scale), expected)


def test_call_overrides_the_own_scale():
    layer = ContinuousConv2d(4, 3, 3, scale=0.5)
    x = image(2)
    assert layer(x).shape == (2, 3, 4, 3)
    assert layer(x, scale=(2, Fraction(1, 3))).shape == (2, 3, 14, 2)
    assert layer(x, size=5).shape == (2, 3, 5, 5)
    assert layer(x, size=torch.Size((9, 1))).shape == (2, 3, 9, 1)
    assert layer(x, size=[np.int64(5), 3], scale=2).shape == (2, 3, 5, 3)
    assert layer(x, points=torch.rand(5, 2, 2)).shape == (2, 3, 5, 2)
    assert layer.scale == (0.5, 0.5)


def test_scale_can_be_read_and_set():
    layer = ContinuousConv2d(1, 1, 3, scale=(0.5, 1.1))
    assert layer.scale == (Fraction(1, 2), Fraction(11, 10))
    layer.scale = 2
    assert layer.scale == (2, 2)
    assert layer(torch.zeros(1, 1, 4, 4)).shape == (1, 1, 8, 8)
    with pytest.raises(ValueError, match="scale must be positive"):
        layer.scale = 0
