"""What is loaded is what was saved, to the bit; or it is refused."""

import json
import os
import resource
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from contconv import (
    ContinuousConv1d,
    ContinuousConv2d,
    ContinuousConv3d,
    LearnableScale,
    load,
    save,
)
from contconv._files import hashed_safetensors
from contconv.kernels import (
    BoxKernel,
    ContinuousKernel,
    CosineKernel,
    CubicKernel,
    GaussianKernel,
    LanczosKernel,
    LinearKernel,
    MLPKernel,
    SplineKernel,
)
from contconv.models import BaselineNet, CCNet, SuperResolutionNet, superres
from contconv.models.superres import WeightsError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def shared(kernel: ContinuousKernel, **options: Any) -> nn.Module:
    kinds = (ContinuousConv1d, ContinuousConv2d, ContinuousConv3d)
    kind = kinds[kernel.ndim - 1]
    return kind(4, 4, kernel.kernel_size, groups=4, kernel=kernel, **options)


SIZE = (5, 4)
COVARIANCE = [[1.1, 0.3], [0.3, 0.7]]
LAYERS = {
    "plain": ContinuousConv2d(4, 6, 3),
    "options": ContinuousConv2d(
        *(4, 6, SIZE),
        scale=(Fraction(2, 3), 0.7391),
        size=(7, 9),
        groups=2,
        bias=False,
        padding_mode="reflect",
        antialias=True,
        engine="factored",
    ),
    "frequencies": ContinuousConv2d(
        4, 6, SIZE, kernel=CosineKernel(4, 6, SIZE, frequencies=(8, 3))
    ),
    "widths": ContinuousConv2d(
        4, 6, SIZE, kernel=MLPKernel(4, 6, SIZE, widths=(13, 9, 5)), scale=0.6
    ),
    "degree": ContinuousConv1d(4, 6, 5, kernel=SplineKernel(4, 6, (5,), degree=3)),
    "three axes": ContinuousConv3d(4, 6, 2, scale=(1, 2, 0.5), groups=2),
    "double": ContinuousConv2d(4, 6, 3, dtype=torch.float64, size=5),
    "bfloat16": ContinuousConv2d(4, 6, 3, dtype=torch.bfloat16),
    "evaluated": ContinuousConv2d(4, 6, 3).eval(),
    "box": shared(BoxKernel(3, ndim=1), scale=0.5),
    "linear": shared(LinearKernel(ndim=3)),
    "cubic": shared(CubicKernel(-0.7391), scale=1.3),
    "lanczos": shared(LanczosKernel(2), bias=False).double(),
    "gaussian": shared(GaussianKernel(COVARIANCE), scale=0.6),
    "learnable": ContinuousConv2d(4, 6, 5, scale=LearnableScale((0.6, 0.7))),
    "padded": ContinuousConv2d(4, 6, 3, scale=0.5, padding=1),
}


def image_for(layer: Any) -> torch.Tensor:
    dtype = layer.kernel.head.dtype
    return torch.rand(1, 4, *(7, 8, 6)[: layer.ndim]).to(dtype)


def assert_equal(actual: nn.Module, expected: nn.Module) -> None:
    assert type(actual) is type(expected)
    assert repr(actual) == repr(expected)
    assert actual.training == expected.training
    ours, theirs = actual.state_dict(), expected.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name].dtype == value.dtype
        assert torch.equal(ours[name], value)
    # In this order, too: an optimizer counts on it.
    assert learning(actual) == learning(expected)


def learning(model: nn.Module) -> list[tuple[str, bool]]:
    return [(name, one.requires_grad) for name, one in model.named_parameters()]


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_layers_come_back(layer, path):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    state = torch.get_rng_state()
    save(layer, path)
    same: Any = load(path)
    assert torch.equal(state, torch.get_rng_state())
    assert_equal(same, layer)
    assert (same.scale, same.size) == (layer.scale, layer.size)
    assert same.kernel.head.dtype == layer.kernel.head.dtype
    image = image_for(layer)
    assert torch.equal(same(image), layer(image))


MIXED = CCNet(4, hidden=5, in_channels=1, classes=3, scales=[0.8, *[0.9] * 6])
MIXED.features[3].half()
FROZEN = CCNet(4)
FROZEN.features.requires_grad_(False)
NETWORKS = {
    "spline": CCNet(4),
    "mixed": MIXED,
    "frozen": FROZEN,
    "own size": CCNet(4, kernel=lambda i, o, size: CosineKernel(i, o, (2, 2))),
    "baseline": BaselineNet(4, hidden=7),
    "super": SuperResolutionNet(4, 1, kernel="spline", scale_aware=False),
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_networks_come_back(network, path):
    save(network, path)
    assert_equal(load(path), network)


def test_the_other_format_of_super_resolution(path):
    """The half-precision file of the network's own method, and the other way."""
    net = SuperResolutionNet(4, 1)
    image = torch.rand(1, 3, 6, 7)
    net.save(path)
    halves: Any = load(path)
    assert not halves.training
    expected = superres.load(path)(image, scale=1.7)
    assert torch.equal(halves(image, scale=1.7), expected)
    save(net, path)
    same = superres.load(path)(image, scale=1.7)
    assert torch.equal(same, net.eval()(image, scale=1.7))


def test_to_a_device(path):
    save(ContinuousConv2d(4, 6, 3), path)
    assert next(load(path, device="meta").parameters()).is_meta


def test_flipped_bits_are_seen(path):
    save(ContinuousConv1d(1, 1, 2), path)
    content = path.read_bytes()
    for place in range(0, 8 * len(content), 7):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match=str(path)):
            load(path)


class Own(CosineKernel):
    """A kernel of a user's."""


class OwnLayer(ContinuousConv2d):
    """A layer of a user's."""


CHANGED = CCNet(4)
CHANGED.classifier[3] = nn.Identity()
SET: Any = shared(GaussianKernel(COVARIANCE))
SET.kernel.density = 3.0
UNKNOWN = {
    "set": (SET, "density of a GaussianKernel has been set, .* make a kernel with the"),
    "kernel": (
        ContinuousConv2d(4, 6, 3, kernel=Own(4, 6, (3, 3))),
        r"a kernel of class Own is not of contconv.kernels, .* save the state_dict\(\)",
    ),
    "layer": (OwnLayer(4, 6, 3), r"save knows the layers .* got OwnLayer; save its st"),
    "network": (nn.Sequential(), "got Sequential; .* load it into a network that you"),
    "changed": (CHANGED, r"CCNet has other parameters .* save its state_dict\(\) with"),
}


@pytest.mark.parametrize("model, words", UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_saved(model, words, path):
    with pytest.raises(ValueError, match=words):
        save(model, path)
    assert not path.exists()


def broken(**changes: Any) -> dict[str, Any]:
    """The config of a layer, with something wrong in its arguments."""
    config = {"name": "ContinuousConv2d", "dtype": "float32", "training": True}
    kernel = {"in_channels": 1, "out_channels": 1, "kernel_size": [1, 1]}
    arguments = {
        "in_channels": 1,
        "out_channels": 1,
        "kernel_size": [1, 1],
        "scale": None,
        "kernel": {"name": "CosineKernel", "arguments": kernel},
    }
    return {**config, "arguments": {**arguments, **changes}}


WRONG = {
    "argument": (broken(unknown=1), "can build: .*unexpected keyword"),
    "kernel": (broken(kernel={"name": "os", "arguments": {}}), "unknown kernel 'os'"),
    "scale": (broken(scale=[[1, 0], [1, 1]]), "can build"),
    "padding": (broken(padding_mode="none"), "unknown padding_mode 'none'"),
    "class": ({"name": "Module", "arguments": {}, "training": True}, "unknown network"),
    "nothing": ({}, "holds no network that this version can read"),
    "shape": (broken(in_channels=2), "can build: a kernel that all channels share"),
    "missing": (broken(), "can build: 1 tensors are missing, such as 'kernel.head'"),
}


@pytest.mark.parametrize("config, words", WRONG.values(), ids=WRONG)
def test_other_contents_are_refused(config, words, path):
    assert json.dumps(config)
    hashed_safetensors.write(
        path, {"bias": torch.zeros(1)}, {"format": 1, "config": config}
    )
    with pytest.raises(WeightsError, match=f"(?s){words}"):
        load(path)


def places(config: Any) -> Iterator[tuple[Any, Any]]:
    """All places in JSON, as what holds them and the key there."""
    pairs: Any = ()
    if isinstance(config, dict):
        pairs = config.items()
    elif isinstance(config, list):
        pairs = enumerate(config)
    for key, value in list(pairs):
        yield config, key
        yield from places(value)


JUNK = (None, True, -1, 2.5, 10**12, 10**400, 1e400, "x", [], [[1]], {"name": 1})


@pytest.mark.parametrize("name", ["options", "widths", "learnable", "gaussian"])
def test_no_other_error_comes_out(name, path, monkeypatch):
    """Whatever stands at any place of a config."""
    save(LAYERS[name], path)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # to be quick
    tensors, notes = hashed_safetensors.read(path)
    refused = 0
    for holder, key in places(notes):
        right = holder[key]
        for junk in JUNK:
            holder[key] = junk
            hashed_safetensors.write(path, tensors, notes)
            try:
                load(path)
            except WeightsError:
                refused += 1
        holder[key] = right
    assert refused > 100 and torch.is_grad_enabled()


@pytest.mark.skipif(
    sys.platform != "linux", reason="others count memory in other units"
)
@pytest.mark.parametrize(
    "model, changes",
    [
        (LAYERS["plain"], {"in_channels": 2**14, "out_channels": 2**14}),
        (LAYERS["plain"], {"in_channels": 2**40, "out_channels": 2**40}),
        (NETWORKS["baseline"], {"channels": 2**12}),
        (NETWORKS["super"], {"blocks": 20_000}),
    ],
    ids=["9 GB", "more than there is", "network", "blocks"],
)
def test_a_small_file_takes_little_memory(model, changes, path):
    save(model, path)
    tensors, notes = hashed_safetensors.read(path)
    arguments = notes["config"]["arguments"]
    arguments.update(changes)
    if "kernel" in arguments and "in_channels" in changes:
        arguments["kernel"]["arguments"].update(changes)
    hashed_safetensors.write(path, tensors, notes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError, match=r"must be|more parameters|may have 8 EiB"):
        load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_no_file_and_no_package(path, monkeypatch):
    with pytest.raises(WeightsError, match="there are no weights at"):
        load(path)
    torch.save({}, path)
    with pytest.raises(WeightsError, match="looks like a pickle"):
        load(path)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ModuleNotFoundError, match="'pip install safetensors'"):
        save(ContinuousConv2d(4, 6, 3), path)
    with pytest.raises(ModuleNotFoundError, match="'pip install safetensors'"):
        load(path)


@pytest.mark.parametrize("name", ["degree", "plain"])
def test_nothing_is_drawn_where_nothing_can_be(name, path, monkeypatch):
    """Drawing on the meta device would load the compiler: seconds for a small file."""
    networks = (LAYERS[name], NETWORKS["spline"], NETWORKS["baseline"])
    drawn = torch.Tensor.normal_

    def normal_(tensor: torch.Tensor, *options: Any, **more: Any) -> torch.Tensor:
        assert not tensor.is_meta
        return drawn(tensor, *options, **more)

    monkeypatch.setattr(torch.Tensor, "normal_", normal_)
    for network in networks:
        save(network, path)
        load(path)


def test_other_hostile_headers(path):
    """A digest that is no text, and a name that no file can have."""
    for digest in ('"' + r"\ud800" + "0" * 63 + '"', "[" + "1," * 63 + "1]"):
        header = '{"__metadata__":{"notes":"{}","sha256":' + digest + "}}"
        path.write_bytes(len(header).to_bytes(8, "little") + header.encode())
        with pytest.raises(WeightsError, match="no sealed safetensors file"):
            load(path)
    with pytest.raises(WeightsError, match="null"):
        load("a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_what_is_no_file_is_not_replaced(path):
    """A device or a pipe keeps its name."""
    os.mkfifo(path)
    with pytest.raises(OSError, match="Not a regular file"):
        save(LAYERS["plain"], path)
    assert path.is_fifo() and list(path.parent.iterdir()) == [path]
