"""New layers respond as new layers of nn.Conv2d do, at every scale, through depth."""

import math

import pytest
import torch
from torch import nn

from benchmarks import records
from contconv import ContinuousConv1d, ContinuousConv2d, ContinuousConv3d
from contconv.kernels import ContinuousKernel, CosineKernel, MLPKernel, initialise_head
from contconv.kernels.head import SPECTRA
from experiments import RESULTS
from experiments.claims import initialisation, spectra
from tests.combinations import pairs

LAYERS = {1: ContinuousConv1d, 2: ContinuousConv2d, 3: ContinuousConv3d}
CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
DEEP = [("cosine", 0.93), ("mlp", 1.1), ("cosine", 1.1)]
KERNELS = pytest.mark.parametrize("kernel", ["cosine", "mlp"])


def kernel_of(layer: ContinuousConv2d) -> CosineKernel | MLPKernel:
    assert isinstance(layer.kernel, CosineKernel | MLPKernel)
    return layer.kernel


def rms(values: torch.Tensor) -> float:
    return values.double().square().mean().sqrt().item()


@pairs(kernel=["cosine", "mlp"], ndim=[1, 2, 3], scale=[0.71, 1.37], groups=[1, 8])
@torch.no_grad()
def test_one_layer_responds_as_a_convolution(kernel, ndim, scale, groups):
    """To white noise; 15% is three standard deviations of what chance does here."""
    size = {1: 400, 2: 30, 3: 12}[ndim]
    noise = torch.randn(4, 64, *[size] * ndim)
    options = {"groups": groups, "bias": False, "padding_mode": "circular"}
    layer = LAYERS[ndim](64, 64, 3, kernel=kernel, **options)
    conv = CONVS[ndim](64, 64, 3, padding=1, **options)
    ratio = rms(layer(noise, scale=scale)) / rms(conv(noise))
    assert ratio == pytest.approx(1, abs=0.15)


@KERNELS
@pytest.mark.parametrize("gain", [0.5, 2.0])
@torch.no_grad()
def test_gain_multiplies(kernel, gain):
    layer = ContinuousConv2d(32, 32, 3, kernel=kernel, bias=False)
    image = torch.randn(2, 32, 12, 12)
    responses = []
    for value in (1.0, gain):
        torch.manual_seed(1)
        kernel_of(layer).reset_parameters(value)
        responses.append(layer(image, scale=0.8))
    torch.testing.assert_close(responses[1], gain * responses[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [3, 4, 5, 6, 7])
def test_wide_networks_keep_their_scale_at_every_scale(width):
    """By formula, without chance: 20 layers, with and without ReLU, up, down and level.

    The best that the variances of the cosines allow is 2.0: see
    `experiments.claims.spectra`.
    """
    config = spectra.Config()
    networks = [spectra.network(width, scale, config) for scale in config.scales]
    variances = torch.tensor(SPECTRA[width], dtype=torch.float64)
    assert spectra.worst(spectra.growth(networks, variances)) < 2.1


def test_spectra_are_those_that_were_found():
    record = records.read(RESULTS / "spectra.json")["result"]
    found = {int(width): tuple(row["spectrum"]) for width, row in record.items()}
    assert found == SPECTRA


@pytest.mark.parametrize(
    "kernel, scale",
    [
        ("mlp", 0.93),
        *(pytest.param(*row, marks=pytest.mark.slow) for row in DEEP),
    ],
)
def test_activations_keep_their_scale_through_20_layers(kernel, scale):
    """Networks with ReLU; the whole study is `experiments.claims.initialisation`."""
    config = initialisation.Config(channels=32, images=2, seeds=6)
    assert 0.5 < initialisation.growth(config, kernel, 3, scale, True)[-1] < 2


@torch.no_grad()
def test_more_frequencies_start_as_fewer():
    """The random functions are the same: the basis only has room to learn more."""
    torch.manual_seed(3)
    few = CosineKernel(4, 5, (3, 3))
    torch.manual_seed(3)
    many = CosineKernel(4, 5, (3, 3), frequencies=6)
    distances = 3 * torch.rand(50, 2) - 1.5
    torch.testing.assert_close(many(distances), few(distances), rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_any_kernel_can_be_initialised():
    """A basis with a scale of its own, twice the same function, gets the same gain."""

    class Crooked(ContinuousKernel):
        def __init__(self):
            super().__init__((3, 3))
            self.head = nn.Parameter(torch.empty(64, 64, 9 + 2))
            self.cosine = CosineKernel(1, 1, (3, 3))
            initialise_head(self, 1.0)

        def basis(self, distances):
            basis = self.cosine.basis(distances)
            return 7 * torch.cat([basis, basis[..., :2]], -1)

    layer = ContinuousConv2d(
        64, 64, 3, kernel=Crooked(), bias=False, padding_mode="circular"
    )
    noise = torch.randn(4, 64, 20, 20)
    assert rms(layer(noise, scale=0.77)) == pytest.approx(rms(noise), rel=0.15)


def test_large_kernels_are_made_quickly():
    """Axis by axis: a fit of the whole basis at once would take 12 GiB."""
    assert ContinuousConv2d(1, 1, 200).kernel.head.isfinite().all()


LARGE = {
    "mlp 2d": lambda: ContinuousConv2d(1, 1, 200, kernel="mlp"),
    "mlp narrow": lambda: MLPKernel(1, 1, (200, 200), widths=(72, 8)),
    "mlp 1d": lambda: MLPKernel(1, 1, (400,)),
    "cosine 1d": lambda: ContinuousConv1d(1, 1, 5000),
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_kernels_that_would_take_minutes_are_refused(make):
    with pytest.raises(ValueError, match=r"kernel_size .* is too large .*SplineKernel"):
        make()
    with torch.device("meta"):
        make()


TOO_LARGE = {
    "pixels": lambda: ContinuousConv2d(3, 8, 10**6, kernel="spline"),
    "more pixels than a tensor counts": lambda: ContinuousConv3d(1, 1, 10**9),
    "channels": lambda: ContinuousConv1d(10**7, 10**7, 3),
    "taps": lambda: ContinuousConv1d(3, 8, 10**12, kernel="bandlimited"),
}


@pytest.mark.parametrize("make", TOO_LARGE.values(), ids=TOO_LARGE)
def test_heads_beyond_all_memory_are_refused(make):
    with pytest.raises(ValueError, match=r"a head of .* needs .* has .* in all; make"):
        make()


def test_too_many_functions_are_refused():
    with pytest.raises(ValueError, match="has 1000000 functions on axis 1 of"):
        CosineKernel(1, 1, (3, 3), frequencies=(1, 10**6))


def test_reset_takes_the_bias_too():
    layer = ContinuousConv2d(4, 4, 3)
    assert layer.bias is not None
    before = layer.bias.clone()
    layer.reset_parameters()
    assert not layer.bias.equal(before)
    assert layer.bias.abs().max() <= 1 / math.sqrt(4 * 9)
