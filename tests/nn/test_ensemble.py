"""Scale sequences of any network, and the ensemble of its outputs."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from contconv import ContinuousConv1d, ContinuousConv2d, ScaleEnsemble, using_scales
from contconv.nn import continuous_layers, scales_of

SEQUENCES = [None, [0.6, 0.42, 1], [(0.4, 0.9), 0.63, 1.1]]


class Users(nn.Module):
    """A network with a branch, whose layers are in a dictionary and a list."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(
            {"a": ContinuousConv2d(3, 4, 3, scale=0.5), "b": nn.BatchNorm2d(4)}
        )
        self.more = nn.ModuleList([ContinuousConv2d(4, 4, 4, scale=0.5)])
        self.last = ContinuousConv2d(4, 5, 3, size=6, scale=1)

    def forward(self, x: Tensor, *, gain: float = 1.0) -> Tensor:
        x = self.parts["b"](self.parts["a"](x)).relu()
        return gain * self.last(self.more[0](x).relu())


@pytest.fixture
def model() -> Users:
    torch.manual_seed(0)
    return Users().eval()


IMAGE = torch.linspace(-1, 1, 2 * 3 * 24 * 20).sin().view(2, 3, 24, 20)


def by_hand(model: Users, scales) -> Tensor:
    """The network's formula, each scale given at the call."""
    x = model.parts["b"](model.parts["a"](IMAGE, scale=scales[0])).relu()
    x = model.more[0](x, scale=scales[1]).relu()
    return model.last(x, scale=scales[2], size=6)


def test_order_and_scales(model):
    expected = [model.parts["a"], model.more[0], model.last]
    assert [id(a) for a in continuous_layers(model)] == [id(b) for b in expected]
    half, one = (Fraction(1, 2),) * 2, (Fraction(1),) * 2
    assert scales_of(model) == [half, half, one]


def test_using_scales_is_the_network_at_those_scales(model):
    before = model(IMAGE)
    for sequence in SEQUENCES[1:]:
        with using_scales(model, sequence) as same:
            assert same is model
            torch.testing.assert_close(model(IMAGE), by_hand(model, sequence))
    assert torch.equal(model(IMAGE), before)


def test_gradients_flow(model):
    with using_scales(model, SEQUENCES[1]):
        loss = model(IMAGE).square().sum()
    expected = by_hand(model, SEQUENCES[1]).square().sum()
    leaves = [p for p in model.parameters() if p.requires_grad]
    torch.testing.assert_close(
        torch.autograd.grad(loss, leaves), torch.autograd.grad(expected, leaves)
    )


def test_restored_after_an_error(model):
    before = [repr(layer) for layer in continuous_layers(model)]
    with pytest.raises(RuntimeError, match="mine"), using_scales(model, SEQUENCES[2]):
        raise RuntimeError("mine")
    wrong = using_scales(model, [0.7, 0.6, -1])
    with pytest.raises(ValueError, match="positive"), wrong:
        pass
    assert [repr(layer) for layer in continuous_layers(model)] == before


def test_nested(model):
    with using_scales(model, [0.9, 0.8, 0.7]):
        with using_scales(model, SEQUENCES[1]):
            pass
        assert scales_of(model)[0] == (Fraction(9, 10),) * 2


def test_size_of_the_last_layer():
    """For a network whose last layer has none of its own."""
    model = nn.Sequential(ContinuousConv1d(1, 2, 3), ContinuousConv1d(2, 2, 3))
    image = torch.rand(1, 1, 20)
    with using_scales(model, [0.7, 0.7], size=9):
        assert model(image).shape == (1, 2, 9)
    assert model(image).shape == (1, 2, 20)


@pytest.mark.parametrize("reduce", ["mean", "probabilities", "median"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_ensemble(model, reduce, count):
    sequences = SEQUENCES[:count]
    own = [0.5, 0.5, 1]
    outputs = np.stack(
        [by_hand(model, s or own).detach().numpy() for s in sequences]
    ).astype(np.float64)
    if reduce == "median":
        expected = np.median(outputs, 0)
    elif reduce == "mean":
        expected = outputs.mean(0)
    else:
        powers = np.exp(outputs)
        expected = (powers / powers.sum(2, keepdims=True)).mean(0)
    actual = ScaleEnsemble(model, sequences, reduce=reduce)(IMAGE)
    np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=2e-5, atol=1e-6)


def test_ensemble_passes_arguments_and_functions(model):
    ensemble = ScaleEnsemble(model, SEQUENCES, reduce=lambda outputs: outputs.amax(0))
    expected = torch.stack([by_hand(model, s or [0.5, 0.5, 1]) for s in SEQUENCES])
    torch.testing.assert_close(ensemble(IMAGE, gain=2.0), 2 * expected.amax(0))


def test_ensemble_follows_the_network(model):
    """It holds no copy: parameters and modes are the network's."""
    ensemble = ScaleEnsemble(model, SEQUENCES)
    assert {id(p) for p in ensemble.parameters()} == {id(p) for p in model.parameters()}
    ensemble.train()
    assert model.training


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda m: ScaleEnsemble(m, []), ValueError, "at least one"),
        (lambda m: ScaleEnsemble(m, [[0.5]]), ValueError, "3 continuous layers, got 1"),
        (lambda m: ScaleEnsemble(m, [0.5]), TypeError, "sequence must be"),  # type: ignore
        (lambda m: ScaleEnsemble(m, [None], reduce="mode"), ValueError, "unknown redu"),
        (lambda m: ScaleEnsemble(m, [None], reduce=3), TypeError, "reduce must"),  # type: ignore
        (lambda m: ScaleEnsemble(m, [None], size=0), ValueError, "size must be at"),
        (lambda m: ScaleEnsemble(nn.ReLU(), [[]]), ValueError, "no continuous layer"),
    ],
)
def test_bad_input(model, call, error, message):
    with pytest.raises(error, match=message):
        call(model)


def test_members_of_different_shapes():
    model = nn.Sequential(ContinuousConv2d(3, 2, 3))
    ensemble = ScaleEnsemble(model, [[0.5], [0.7]], reduce="mean")
    with pytest.raises(ValueError, match=r"must have one shape.*give the last"):
        ensemble(torch.rand(1, 3, 10, 10))
    fixed = ScaleEnsemble(model, [[0.5], [0.7]], reduce="mean", size=5)
    assert fixed(torch.rand(1, 3, 10, 10)).shape == (1, 2, 5, 5)


def test_scale_follows_size():
    layer = ContinuousConv2d(1, 1, 3, size=7)
    assert layer.scale is None and layer.size == (7, 7)
    with pytest.raises(ValueError, match=r"has a size, .* but no scale"):
        scales_of(nn.Sequential(layer))
    image = torch.rand(1, 1, 12, 9)
    assert torch.equal(layer(image), layer(image, size=7))
    with using_scales(layer, [0.6]):
        assert torch.equal(layer(image), layer(image, scale=0.6, size=7))
    assert torch.equal(layer(image), layer(image, size=7))


@pytest.mark.parametrize("reduce", ["mean", "probabilities", "median"])
def test_pickled(reduce):
    model = nn.Sequential(ContinuousConv2d(3, 2, 3, size=5))
    ensemble = ScaleEnsemble(model, [[0.5], [0.7]], reduce=reduce)
    image = torch.rand(1, 3, 10, 10)
    same = pickle.loads(pickle.dumps(ensemble))
    assert torch.equal(same(image), ensemble(image))
