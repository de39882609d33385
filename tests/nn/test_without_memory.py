"""Layers made without memory, moved and copied: no number is lost or left to chance."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from contconv import (
    ContinuousConv1d,
    ContinuousConv2d,
    ContinuousConv3d,
    LearnableScale,
)
from contconv._runtime import cache
from contconv.engines.native.library import missing
from contconv.kernels import (
    BoxKernel,
    CubicKernel,
    GaussianKernel,
    LanczosKernel,
    LinearKernel,
)
from contconv.models import BaselineNet, CCNet, SuperResolutionNet
from contconv.nn.gradual import Gradual


def shared(make: Callable[[], Any]) -> Callable[[], nn.Module]:
    def layer() -> nn.Module:
        kernel = make()
        kinds = (ContinuousConv1d, ContinuousConv2d, ContinuousConv3d)
        kind, size = kinds[kernel.ndim - 1], kernel.kernel_size
        return kind(4, 4, size, groups=4, kernel=kernel, scale=0.7)

    return layer


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "cosine": lambda: ContinuousConv2d(4, 6, 3, scale=0.7),
    "mlp": lambda: ContinuousConv2d(4, 6, (3, 4), kernel="mlp", scale=0.7),
    "spline": lambda: ContinuousConv1d(4, 6, 5, kernel="spline", scale=0.7),
    "three axes": lambda: ContinuousConv3d(4, 6, 3, kernel="spline", groups=2, scale=2),
    "learnable": lambda: ContinuousConv2d(4, 6, 3, scale=LearnableScale((0.6, 0.7))),
    "gradual": lambda: Gradual(4, 6, 3, scale=0.5, layers=2, axes=2),
    "box": shared(lambda: BoxKernel(3, ndim=1)),
    "linear": shared(lambda: LinearKernel(ndim=3)),
    "cubic": shared(CubicKernel),
    "lanczos": shared(lambda: LanczosKernel(2)),
    "gaussian": shared(lambda: GaussianKernel([[1.1, 0.3], [0.3, 0.7]])),
}
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "CCNet": lambda: CCNet(4),
    "baseline": lambda: BaselineNet(4),
    "super": lambda: SuperResolutionNet(4, 1),
}


def image_for(layer: Any) -> torch.Tensor:
    return torch.rand(1, 4, *(7, 8, 6)[: getattr(layer, "ndim", 2)])


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_meta_then_loaded(make):
    """As networks of many gigabytes are; memory that was not written is NaN here."""
    original = make()
    with torch.device("meta"):
        layer = make()
    assert all(one.is_meta for one in layer.parameters())
    repr(layer)
    layer.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in [*layer.parameters(), *layer.buffers()]:
            tensor.fill_(torch.nan)
    layer.load_state_dict(original.state_dict())
    image = image_for(layer)
    assert torch.equal(layer(image), original(image))


def test_meta_then_reset():
    layer = ContinuousConv2d(4, 6, 3, scale=LearnableScale(0.6), device="meta")
    layer.to_empty(device="cpu")
    for module in layer.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()  # type: ignore
    assert layer.scale == (LearnableScale(0.6).ratios(1)) * 2
    with torch.device("meta"):
        scale = LearnableScale(0.6)
    with pytest.raises(ValueError, match="has no value on meta; move it"):
        scale.ratios(2)


@pytest.mark.parametrize("make", (LAYERS | NETWORKS).values(), ids=LAYERS | NETWORKS)
def test_fake(make):
    with FakeTensorMode():
        network = make()
    assert all(isinstance(one, FakeTensor) for one in network.parameters())


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_the_default_device_is_not_that_of_the_image(make, monkeypatch):
    monkeypatch.setattr(cache, "_kept", cache._Entries())
    layer = make()
    image = image_for(layer)
    with torch.device("meta"):
        out = layer(image)  # the first call: nothing is cached yet
    assert torch.equal(out, layer(image))


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_copies_and_dtypes(make):
    layer = make()
    image = image_for(layer)
    expected = layer(image)
    for same in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(same(image), expected)
    for dtype, close in ((torch.float64, 1e-4), (torch.float16, 0.03)):
        moved = copy.deepcopy(layer).to(dtype)
        out = moved(image.to(dtype))
        assert out.dtype == dtype
        torch.testing.assert_close(out.float(), expected, atol=close, rtol=close)


@pytest.mark.parametrize("engine", ["auto", "native", "separable"])
def test_a_kernel_without_memory_is_never_read(engine):
    """One that has no parameters looks like any other; what it would read is chance."""
    with torch.device("meta"):
        empty: Any = LAYERS["cubic"]()
    full: Any = LAYERS["cubic"]()
    empty.load_state_dict(full.state_dict(), assign=True)
    empty.engine = full.engine = engine
    if engine == "native" and missing() is not None:
        pytest.skip(f"NOT TESTED: {missing()}")
    image = image_for(full)
    with pytest.raises(ValueError, match=r"kernel is on meta; move it with .to_empty"):
        empty(image)
    empty.get_submodule("kernel").to_empty(device="cpu")
    assert torch.equal(empty(image), full(image))
