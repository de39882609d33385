"""The paper's two networks: their layers, shapes and counts."""

from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from contconv import ContinuousConv2d, using_scales
from contconv.kernels import CosineKernel, LinearKernel, MLPKernel, SplineKernel
from contconv.models import BaselineNet, CCNet
from contconv.nn import continuous_layers, scales_of, schedules


def shapes(model: BaselineNet | CCNet, kind: type) -> list[int]:
    """Heights of the maps after each layer of a kind."""
    heights: list[int] = []
    hooks = [
        module.register_forward_hook(lambda *call: heights.append(call[2].shape[2]))
        for module in model.modules()
        if isinstance(module, kind)
    ]
    model(torch.rand(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return heights


def test_layers():
    assert shapes(BaselineNet(4), nn.Conv2d) == [32, 16, 16, 16, 16, 16, 16, 8]
    model = CCNet(4)
    assert shapes(model, nn.Conv2d) == [32]
    assert shapes(model, ContinuousConv2d) == [26, 21, 17, 14, 12, 10, 8]
    assert [type(m) for m in model.classifier].count(nn.Linear) == 3


@pytest.mark.parametrize("kernel", ["cosine", "spline"])
def test_as_many_parameters(kernel):
    baseline, continuous = BaselineNet(16), CCNet(16, kernel=kernel)
    assert sum(p.numel() for p in baseline.parameters()) == sum(
        p.numel() for p in continuous.parameters()
    )


def test_overall_scale_is_a_quarter_exactly():
    scales = scales_of(CCNet(2))
    product = Fraction(1)
    for height, width in scales:
        assert height == width
        product *= height
    assert product == Fraction(1, 4)


def test_keeps_the_frame():
    """Rounding up at each layer adds pixels outside, which the last layer cuts off.

    With linear layers that only copy (a box of one pixel would), the value at each
    final pixel is where that pixel lies; so a ramp comes out as the ramp of 8 pixels.
    """
    model = CCNet(1, in_channels=1).double()
    for layer in continuous_layers(model):
        layer.padding_mode = "replicate"
        layer.kernel = LinearKernel(ndim=2)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    first = model.features[0]
    assert isinstance(first, nn.Conv2d)
    first.weight.data.zero_()[..., 1, 1] = 1
    ramp = torch.arange(32.0, dtype=torch.float64).expand(1, 1, 32, 32)
    # What is outside is replicated: only the middle is a ramp all the way.
    expected = 4 * torch.arange(8.0, dtype=torch.float64) + 1.5
    out = model.features(ramp)[0, 0, 4]
    torch.testing.assert_close(out[3:5], expected[3:5])


@pytest.mark.parametrize("build", [BaselineNet, CCNet])
def test_activations_keep_their_scale(build):
    """Through eight layers with ReLU; nn.Conv2d's own start would shrink them."""
    torch.manual_seed(0)
    image = torch.randn(8, 3, 32, 32)
    growth = build(64).features(image).square().mean().sqrt()
    assert 0.25 < growth < 2


def test_kernels():
    for name, kind in (("cosine", CosineKernel), ("mlp", MLPKernel)):
        layer = continuous_layers(CCNet(2, kernel=name))[0]
        assert isinstance(layer.kernel, kind) and layer.kernel_size == (3, 3)
    layer = continuous_layers(CCNet(2))[0]
    assert isinstance(layer.kernel, SplineKernel) and layer.kernel_size == (5, 5)

    def wide(i: int, o: int, size: tuple[int, int]) -> MLPKernel:
        return MLPKernel(i, o, size, widths=(20, 8))

    kernels = [layer.kernel for layer in continuous_layers(CCNet(3, kernel=wide))]
    assert all(isinstance(k, MLPKernel) and k.widths == (20, 8) for k in kernels)
    assert len({id(kernel) for kernel in kernels}) == 7


def test_kernels_begin_as_they_would_alone():
    """Orthonormal bases: a mean square of 1/9 for each function on 3x3 pixels."""
    distances = 3 * torch.rand(4000, 2) - 1.5
    for name in ("cosine", "mlp"):
        for layer in continuous_layers(CCNet(2, kernel=name)):
            basis = layer.kernel.basis(distances)
            assert (9 * basis.square().mean(0) - 1).abs().max() < 0.1


@pytest.mark.parametrize("norm", [None, "batch"])
@pytest.mark.parametrize("build", [BaselineNet, CCNet])
def test_trains(build, norm):
    """A batch can be learned by heart."""
    torch.manual_seed(0)
    model, images = build(8, norm=norm), torch.randn(16, 3, 32, 32)
    labels = torch.arange(16) % 10
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    loss = torch.tensor(0.0)
    for _ in range(60):
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2


@pytest.mark.parametrize("kind", ["equal", "alternating", "random", "jittered"])
def test_final_shape_is_fixed(kind):
    model, image = CCNet(2), torch.rand(1, 3, 32, 32)
    for seed in range(3):
        torch.manual_seed(seed)
        if kind == "jittered":
            sequence = schedules.jittered(scales_of(model), 0.4)
        else:
            sequence = getattr(schedules, kind)(7, 1 / 4)
        with using_scales(model, sequence):
            features: Tensor = model.features(image)
        assert features.shape == (1, 2, 8, 8)


def test_unknown_norm():
    with pytest.raises(ValueError, match=r"one of \(None, 'batch'\), got 'layer'"):
        BaselineNet(2, norm="layer")


def test_wrong_count_of_scales():
    with pytest.raises(ValueError, match="each of the 7 continuous layers, got 6"):
        CCNet(2, scales=[0.8] * 6)
