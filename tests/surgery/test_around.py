"""What is around a converted layer: what reads it, calls it, or looks in between."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils import prune
from torch.nn.utils.fusion import fuse_conv_bn_eval

from contconv import ContinuousConv2d, convert, describe
from tests.surgery.networks import everything

SETTINGS = ("stride", "padding", "dilation", "in_channels", "groups", "padding_mode")


def converted(conv: nn.Module, **options: Any) -> Any:
    model = convert(conv, everything, **options).model
    assert isinstance(model, ContinuousConv2d)
    return model


@pytest.mark.parametrize("kernel, padding, more", [(3, 1, 0), (2, 0, 1), (4, 1, 0)])
def test_output_size_of_a_transposed_convolution(kernel, padding, more):
    conv = nn.ConvTranspose2d(2, 3, kernel, 3, padding, more).double()
    layer, image = converted(conv), torch.randn(1, 2, 4, 5, dtype=torch.float64)
    least = [(n - 1) * 3 - 2 * padding + kernel for n in (4, 5)]
    for extra in [(0, 0), (1, 2), (2, 0)]:
        size = [n + e for n, e in zip(least, extra, strict=True)]
        expected = conv(image, output_size=size)
        torch.testing.assert_close(layer(image, output_size=size), expected)
        torch.testing.assert_close(layer(image, [1, 3, *size]), expected)


def test_output_size_is_described():
    class Up(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose2d(2, 2, 3, 2, 1)

        def forward(self, image: Tensor) -> Tensor:
            return self.up(image, output_size=(10, 12))

    model = convert(Up()).model
    (layer,) = describe(model, (1, 2, 5, 6)).layers
    assert layer.explanation.output_shape == (1, 2, 10, 12) and layer.scale == "2"


def test_output_size_of_another_is_refused():
    with pytest.raises(TypeError, match="what was a transposed convolution"):
        converted(nn.Conv2d(1, 1, 3, 2))(torch.rand(1, 1, 5, 5), (3, 3))


CONVS = {
    "strided": nn.Conv2d(4, 6, (3, 2), 2, 1, groups=2),
    "mlp": nn.Conv2d(2, 3, 3, 2, 1),
    "transposed": nn.ConvTranspose2d(4, 6, 3, 2, 1, groups=2),
}


@pytest.mark.parametrize("name", CONVS)
def test_weight_and_settings_are_there(name):
    """Other code reads them, of trained values and with gradients."""
    conv = CONVS[name].double()
    kernel = "mlp" if name == "mlp" else "cosine"
    layer = converted(conv, kernel=kernel)
    for setting in SETTINGS:
        assert getattr(layer, setting) == getattr(conv, setting)
    torch.testing.assert_close(
        layer.weight.clone(), conv.weight.data, rtol=1e-4, atol=1e-5
    )
    layer.weight.square().sum().backward()
    assert layer.kernel.head.grad.abs().max() > 0
    layer.weight = nn.Parameter(torch.flip(conv.weight, (2,)))
    image = torch.randn(1, 4 if conv.groups == 2 else 2, 7, 6, dtype=torch.float64)
    conv.weight = nn.Parameter(torch.flip(conv.weight, (2,)))
    torch.testing.assert_close(layer(image), conv(image), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="weight must have shape"):
        layer.weight = torch.rand(1)


def test_weight_of_a_pair():
    pair = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(2, 3, 3, padding=1)).double()
    weight, image = pair[1].weight, torch.rand(1, 2, 8, 8, dtype=torch.float64)
    layer: Any = convert(pair, example=image).model.get_submodule("1")
    torch.testing.assert_close(layer.weight.clone(), weight.data)


def test_batch_norm_is_fused():
    conv, norm = nn.Conv2d(2, 3, 3, 2, 1, bias=False), nn.BatchNorm2d(3)
    image = torch.rand(4, 2, 9, 8)
    norm(conv(image))
    expected = norm.eval()(conv.eval()(image))
    fused = fuse_conv_bn_eval(converted(conv), norm)
    torch.testing.assert_close(fused(image), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "write",
    [
        lambda weight: nn.init.normal_(weight),
        lambda weight: weight.data.zero_(),
        lambda weight: weight.detach()[0].mul_(2),
        lambda weight: weight.requires_grad_(False),
        lambda weight: torch.add(weight, 1, out=weight),
    ],
    ids=["init", "data", "part", "frozen", "out"],
)
def test_what_would_be_lost_is_refused(write):
    layer = converted(nn.Conv2d(2, 3, 3, 2, 1))
    with torch.no_grad(), pytest.raises(RuntimeError, match="computed from a continu"):
        write(layer.weight)


@pytest.mark.plain
def test_pruning_of_the_weight_is_refused_and_its_way_out():
    conv = nn.Conv2d(2, 3, 3, 2, 1)
    layer, image = converted(copy.deepcopy(conv)), torch.randn(1, 2, 9, 8)
    before = layer(image)
    with pytest.raises(TypeError, match=r"prune before convert.*layer\.weight \* mask"):
        prune.l1_unstructured(layer, "weight", amount=0.5)
    assert torch.equal(layer(image), before)
    prune.l1_unstructured(conv, "weight", amount=0.5)
    layer.weight = layer.weight * conv.weight_mask
    torch.testing.assert_close(layer(image), conv(image))
    prune.l1_unstructured(layer.kernel, "head", amount=0.5)
    prune.l1_unstructured(layer, "bias", amount=0.5)
    layer(image).sum().backward()
    assert (layer.kernel.head == 0).sum() == 27


def test_a_rule_by_name_is_told_where_the_weights_are():
    report = convert(nn.Sequential(nn.Conv2d(2, 3, 3, 2, 1), nn.BatchNorm2d(3)))
    decayed = [n for n, _ in report.model.named_parameters() if n.endswith("weight")]
    assert decayed == ["1.weight"]
    words = " ".join(str(report).split())
    assert (
        "parameter kernel.head now, which rules for names that end in weight" in words
    )


def test_pruned_before():
    conv = nn.Conv2d(2, 3, 3, 2, 1)
    prune.l1_unstructured(conv, "weight", 0.5)
    report = convert(conv)
    assert "weight_orig" in report.left[0].reason and "prune.remove" in str(report)
    prune.remove(conv, "weight")
    assert ((converted(conv).weight.abs() < 1e-6) == (conv.weight == 0)).all()


class Picked(nn.Module):
    """The features after each layer, as perceptual losses and detectors take them."""

    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        conv = nn.Conv2d(4, 4, 3, padding=1)
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), first, conv)

    def forward(self, image: Tensor) -> list[Tensor]:
        picked = []
        for layer in self.layers:
            image = layer(image)
            picked.append(image)
        return picked


@pytest.mark.parametrize("first", [nn.AvgPool2d(2), nn.Upsample(scale_factor=2)])
def test_picked_features_stay(first):
    model, image = Picked(first), torch.rand(1, 3, 17, 22)
    expected = model(image)
    report = convert(model, example=image)
    assert [row.name for row in report.converted] == ["layers.0", "layers.2"]
    assert "'layers.3'" in report.converted[1].note
    for one, other in zip(model(image), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_hooks_of_the_first_of_two_still_see_its_output():
    model = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(2, 3, 3, padding=1))
    seen, image = [], torch.rand(1, 2, 9, 8)
    model[0].register_forward_hook(lambda *all: seen.append(all[2]))
    convert(model, example=image)
    model(image)
    torch.testing.assert_close(seen[-1], F.avg_pool2d(image, 2))


def test_one_pooling_for_several_numbers_of_channels():
    """A layer has one number; the module is called with two."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AvgPool2d(2)

        def forward(self, image: Tensor) -> Tensor:
            return self.pool(torch.cat([self.pool(image)] * 2, 1))

    model, image = Twice(), torch.rand(1, 2, 8, 8)
    (row,) = convert(model, example=image).rows
    assert "several numbers of channels" in row.reason
    assert model(image).shape == (1, 4, 2, 2)


def test_a_module_with_a_forward_of_its_own_is_left_alone():
    """As libraries put one on it that moves or quantizes its weights."""
    model, image = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1)), torch.rand(1, 3, 9, 8)
    own: Any = model[0]
    own._conv_forward = lambda image, weight, bias: F.conv2d(image, weight * 2, bias, 2)
    pair = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 4, 3, padding=1))
    pair[0].forward = lambda image: image.repeat(1, 1, 2, 2)  # type: ignore
    for one in (model, pair):
        expected = one(image)
        (row,) = convert(one, example=image).rows
        assert "a forward of its own was put on" in row.reason
        assert torch.equal(one(image), expected)


def test_hooks_for_gradients_still_see_them():
    model: Any = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2))
    seen: list[str] = []
    model[0].weight.register_hook(lambda gradient: seen.append("each"))
    model[1].bias.register_post_accumulate_grad_hook(lambda one: seen.append("sum"))
    report = convert(model)
    assert [row.reason[:15] for row in report.left] == [
        "its weight has ",
        "its bias has ho",
    ]
    model(torch.rand(1, 3, 9, 8)).sum().backward()
    assert sorted(seen) == ["each", "sum"]


def test_parameters_made_where_nothing_is_recorded_learn():
    model: Any = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Upsample(scale_factor=2))
    with torch.inference_mode():
        convert(model, example=torch.rand(1, 3, 9, 8))
    model(torch.rand(1, 3, 9, 8)).sum().backward()
    assert model[0].kernel.head.grad.abs().max() > 0


@pytest.mark.plain
def test_what_traces_a_network():
    """The call with an output_size is a step of the graph; a script says no."""

    class Up(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose2d(3, 2, 3, 2, 1)

        def forward(self, image: Tensor) -> Tensor:
            return self.up(image, output_size=(18, 15))

    model, image = Up(), torch.rand(1, 3, 9, 8)
    expected = model(image)
    convert(model)
    torch.testing.assert_close(torch.fx.symbolic_trace(model)(image), expected)
    with pytest.raises(NotImplementedError, match=r"torch\.jit\.script cannot compile"):
        torch.jit.script(model)


@pytest.mark.parametrize("kernel", ["cosine", "mlp"])
def test_weights_come_after_the_conversion(kernel):
    """Converted without numbers, filled from a state_dict of the network as it was."""

    def network() -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ConvTranspose2d(4, 2, 3, 2))

    old, image = network(), torch.rand(1, 3, 9, 8)
    with torch.device("meta"):
        new = network()
    assert len(convert(new, kernel=kernel).converted) == 2
    new = new.to_empty(device="cpu")
    if kernel == "mlp":
        for parameter in new.parameters():
            parameter.data.zero_()
        with pytest.raises(RuntimeError, match="after to_empty, call reset_parameters"):
            new.load_state_dict(old.state_dict())
    for layer in new:
        layer.reset_parameters()  # type: ignore
    new.load_state_dict(old.state_dict())
    # A learned basis passes through the taps to 1e-4 of the largest.
    atol = 1e-5 if kernel == "cosine" else 5e-3
    torch.testing.assert_close(new(image), old(image), rtol=1e-4, atol=atol)


def test_where_tensors_have_no_numbers():
    """Under a device, a mode of fakes, or to be assigned; a kernel that fits none."""
    old, image = nn.Conv2d(3, 4, 3, 2, 1), torch.rand(1, 3, 9, 8)
    expected, state = old(image), old.state_dict()
    with torch.device("meta"):
        layer: Any = convert(old).model
        empty = nn.Conv2d(3, 4, 3, 2, 1)
    torch.testing.assert_close(layer(image), expected)
    assert "kernel 'spline' is off by" in convert(empty, kernel="spline").rows[0].reason
    assigned: Any = convert(empty).model
    assigned.load_state_dict(state, assign=True)
    torch.testing.assert_close(assigned(image), expected)
    with FakeTensorMode():
        fake: Any = convert(nn.Conv2d(3, 4, 3, 2, 1)).model
        assert fake(torch.rand(2, 3, 9, 8)).shape == (2, 4, 5, 4)
