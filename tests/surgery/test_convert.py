"""Converted networks: the same outputs as before, and nothing else changed."""

import copy
import pickle

import pytest
import torch
from torch import nn

from contconv import ContinuousConv2d, convert
from contconv.nn import continuous_layers
from tests.combinations import pairs
from tests.surgery.networks import NETWORKS, ResNet, everything, settled


@torch.no_grad()
def relative(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", list(NETWORKS))
def test_network_stays_the_same(name):
    make, shape = NETWORKS[name]
    image = torch.rand(shape)
    model = settled(make(), image)
    expected = model(image)
    report = convert(model, everything, example=image)
    assert relative(model(image), expected) < 1e-5
    assert continuous_layers(model)
    assert all(row.error is None or row.error < 1e-10 for row in report.converted)
    left = {row.was for row in report.left}
    assert left <= {"MaxPool2d"}, report


@pairs(
    kernel=[1, 2, 3, 4, (5, 2)], stride=[1, 2, (3, 1)], padding=[0, 1], groups=[1, 2]
)
def test_strided_convolution(kernel, stride, padding, groups):
    """At every size, also where the stride does not divide it."""
    conv = nn.Conv2d(4, 6, kernel, stride, padding, groups=groups).double()
    model = convert(conv, everything).model
    assert isinstance(model, ContinuousConv2d)
    for size in [(9, 8), (11, 7), (12, 13)]:
        image = torch.randn(2, 4, *size, dtype=torch.float64)
        torch.testing.assert_close(model(image), conv(image))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes(mode):
    conv = nn.Conv2d(2, 3, 5, 2, 2, padding_mode=mode).double()
    model, image = convert(conv).model, torch.randn(1, 2, 9, 12, dtype=torch.float64)
    torch.testing.assert_close(model(image), conv(image))


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("kernel", [3, 4])
def test_same_padding(kernel):
    conv = nn.Conv2d(2, 3, kernel, padding="same").double()
    model = convert(conv, everything).model
    image = torch.randn(1, 2, 9, 12, dtype=torch.float64)
    torch.testing.assert_close(model(image), conv(image))


@pairs(kernel=[1, 2, 3, 4, 5, 8], stride=[1, 2, 3, 4], groups=[1, 2])
def test_transposed_convolution(kernel, stride, groups):
    for padding in range(min(kernel, 2)):
        for more in range(min(stride, 2)):
            options = (kernel, stride, padding, more, groups)
            conv = nn.ConvTranspose2d(4, 6, *options).double()
            model = convert(conv, everything).model
            assert isinstance(model, ContinuousConv2d)
            for size in [(4, 5), (3, 2)]:
                image = torch.randn(2, 4, *size, dtype=torch.float64)
                torch.testing.assert_close(model(image), conv(image))


@pytest.mark.parametrize("axes", [1, 3])
def test_other_dimensions(axes):
    convs = {1: (nn.Conv1d, nn.ConvTranspose1d), 3: (nn.Conv3d, nn.ConvTranspose3d)}
    for kind in convs[axes]:
        conv = kind(2, 4, 3, 2, 1).double()
        image = torch.randn(1, 2, *(7, 6, 5)[:axes], dtype=torch.float64)
        torch.testing.assert_close(convert(conv).model(image), conv(image))


@pytest.mark.parametrize("kernel", ["cosine", "mlp"])
def test_kernels(kernel):
    conv, image = nn.Conv2d(2, 3, 3, 2, 1), torch.randn(1, 2, 9, 8)
    report = convert(conv, kernel=kernel)
    assert relative(report.model(image), conv(image)) < 1e-4
    assert report.converted


@pytest.mark.parametrize(
    "pair",
    [
        (nn.Upsample(scale_factor=2), nn.Conv2d(2, 3, 3, padding=1)),
        (nn.Upsample(scale_factor=(3, 2)), nn.Conv2d(2, 3, (3, 5), padding=(0, 2))),
        (nn.Upsample(scale_factor=2), nn.Conv2d(2, 3, 4, padding=1)),
        (nn.AvgPool2d(2), nn.Conv2d(2, 3, 3, padding=1)),
        (nn.AvgPool2d((2, 1)), nn.Conv2d(2, 3, 1, stride=2)),
    ],
    ids=str,
)
def test_pairs_become_one_layer(pair):
    model = nn.Sequential(*pair).double()
    image = torch.randn(1, 2, 8, 10, dtype=torch.float64)
    expected = model(image)
    convert(model, example=image)
    assert isinstance(model[0], nn.Identity) and isinstance(model[1], ContinuousConv2d)
    torch.testing.assert_close(model(image), expected)


@pytest.mark.parametrize("twice", ["pooling", "convolution", "weight"])
def test_what_has_another_place_is_no_part_of_a_pair(twice):
    """One layer cannot take in what another still needs."""
    pool, conv = nn.AvgPool2d(2), nn.Conv2d(2, 2, 3, padding=1)
    first = nn.AvgPool2d(2) if twice != "pooling" else pool
    second = conv if twice == "convolution" else nn.Conv2d(2, 2, 3, padding=1)
    if twice == "weight":
        second.weight = conv.weight
    after = [nn.ReLU(), second] if twice == "convolution" else [second]
    model = nn.Sequential(nn.Sequential(first, conv), nn.Sequential(pool, *after))
    image = torch.rand(1, 2, 16, 16)
    expected = model(image)
    convert(model)
    assert conv in list(model.modules())
    torch.testing.assert_close(model(image), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Upsample(scale_factor=3, mode="nearest-exact"),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Upsample(size=(13, 9), mode="bilinear"),
        nn.Upsample(scale_factor=4, mode="bicubic"),
        nn.Upsample(size=(7, 21), mode="bicubic"),
    ],
    ids=str,
)
def test_upsample_alone(layer):
    image = torch.rand(2, 3, 8, 6)
    report = convert(layer, example=image)
    assert isinstance(report.model, ContinuousConv2d)
    torch.testing.assert_close(report.model(image), layer(image), rtol=1e-5, atol=1e-5)
    assert report.model(image, scale=1.7).shape == (2, 3, 14, 11)


def test_fresh_replaces_a_maximum():
    """As all-convolutional networks do; the shapes stay."""
    pair = nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Conv2d(2, 3, 3, padding=1))
    image = torch.rand(1, 2, 11, 8)
    expected = pair(image).shape
    convert(pair, init="fresh", kernel="spline")
    assert isinstance(pair[1], ContinuousConv2d) and pair(image).shape == expected


def test_kept_or_centred():
    """An odd filter with an even stride is half a pixel off on even sizes."""
    conv, image = nn.Conv2d(1, 1, 3, 2, 1), torch.rand(1, 1, 8, 8)
    (kept,) = convert(conv, example=image).rows
    centred = convert(conv, align="center", example=image)
    assert kept.grid == "-0.5 px off centre" and centred.rows[0].grid == "centred"
    assert centred.model(image).shape == conv(image).shape
    flipped = image.flip(2, 3)
    with torch.no_grad():
        centred.model.kernel.head.copy_(torch.rand(1, 1, 1).expand(1, 1, 9))  # type: ignore
        centred.model.kernel.head[..., [1, 3, 5, 7]] = 0  # type: ignore
    torch.testing.assert_close(
        centred.model(image), centred.model(flipped).flip(2, 3), rtol=1e-5, atol=1e-6
    )
    (odd,) = convert(conv, example=torch.rand(1, 1, 9, 9)).rows
    assert odd.grid == "centred"


def test_state_dicts_saved_before_still_load():
    """Of the discrete network; and those of the converted one, too."""
    image = torch.rand(1, 3, 40, 40)
    trained = settled(ResNet(), image)
    expected = trained(image)
    model = settled(ResNet(), image)
    convert(model, everything)
    model.load_state_dict(trained.state_dict())
    assert relative(model(image), expected) < 1e-5
    other = ResNet().eval()
    convert(other, everything)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(image), model(image))


@pytest.mark.parametrize("out, kernel", [(4, 3), (3, 5), (3, 1)])
def test_state_dict_of_another_shape(out, kernel):
    report = convert(nn.Conv2d(2, 3, 3, 2, 1))
    with pytest.raises(RuntimeError, match="Unexpected key"):
        report.model.load_state_dict(nn.Conv2d(2, out, kernel, 2, 1).state_dict())


def test_hooks_modes_dtypes():
    calls = []
    model = nn.Sequential(nn.Conv2d(2, 3, 3, 2, 1, bias=False)).bfloat16().eval()
    model[0].weight.requires_grad_(False)
    handle = model[0].register_forward_hook(lambda *_: calls.append("after"))
    model[0].register_forward_pre_hook(lambda *_: calls.append("before"))
    convert(model)
    model(torch.rand(1, 2, 8, 8, dtype=torch.bfloat16))
    assert calls == ["before", "after"]
    handle.remove()
    model(torch.rand(1, 2, 8, 8, dtype=torch.bfloat16))
    assert calls == ["before", "after", "before"]
    assert not model[0].training and model[0].bias is None
    (head,) = model[0].parameters()
    assert head.dtype == torch.bfloat16 and not head.requires_grad


def test_copied_and_pickled():
    image = torch.rand(1, 2, 8, 8)
    model = convert(nn.Conv2d(2, 3, 3, 2, 1)).model
    for same in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(same(image), model(image))
        same.load_state_dict(nn.Conv2d(2, 3, 3, 2, 1).state_dict())


def test_shared_module_is_replaced_everywhere():
    conv = nn.Conv2d(2, 2, 3, 2, 1)
    model = nn.ModuleDict({"a": conv, "b": conv})
    report = convert(model)
    assert model["a"] is model["b"] and isinstance(model["a"], ContinuousConv2d)
    report.undo()
    assert model["a"] is model["b"] is conv


def test_dry_run_and_undo():
    model, image = ResNet().eval(), torch.rand(1, 3, 32, 32)
    before = list(model.modules())
    expected = model(image)
    report = convert(model, example=image, dry_run=True)
    assert list(model.modules()) == before and not report.applied
    assert "would be replaced" in str(report)
    with pytest.raises(RuntimeError, match="nothing to undo"):
        report.undo()
    report = convert(model)
    assert report.undo() is model and list(model.modules()) == before
    assert torch.equal(model(image), expected)


def test_undo_sees_later_changes():
    model = nn.Sequential(nn.Conv2d(1, 1, 3, 2), nn.Conv2d(1, 1, 3, 2))
    report = convert(model)
    model[1] = nn.Identity()
    with pytest.raises(RuntimeError, match="layer '1' is no longer the one"):
        report.undo()
    assert isinstance(model[0], ContinuousConv2d)


def test_report():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, dilation=2))
    report = convert(model, example=torch.rand(2, 3, 17, 16))
    row, left = report.rows
    assert (row.name, row.was, row.scale) == ("0", "Conv2d", "0.5")
    assert row.parameters == (224, 224)
    assert row.multiply_adds is not None
    assert row.multiply_adds[0] == 2 * 9 * 8 * 3 * 8 * 9
    assert row.out_shape == (2, 8, 9, 8)
    assert left.reason == "dilation (2, 2): its taps are not side by side"
    assert report.left == [left] and report.converted == [row]
    lines = str(report).splitlines()
    assert "1: Conv2d left alone: dilation" in str(report)
    assert "kernel.head" in " ".join(lines[-3:]) and max(map(len, lines)) <= 100
    assert (
        repr(report).startswith("<Conversion: 1 replaced") and len(repr(report)) < 150
    )
