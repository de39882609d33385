"""Networks in folders as the Hugging Face Hub keeps them; nothing here needs it."""

import json
from fractions import Fraction
from typing import Any

import pytest
import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from contconv import ContinuousConv2d
from contconv.models import CCNet, SuperResolutionNet


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where something asks the network."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", refuse)


class SharedCCNet(CCNet, PyTorchModelHubMixin):
    """The recipe of docs/graphs.md."""


class SharedSuperResolutionNet(SuperResolutionNet, PyTorchModelHubMixin):
    """The same for the other network."""


class Own(nn.Module, PyTorchModelHubMixin):
    """A network of a user's, whose arguments JSON can hold."""

    def __init__(self, channels: int = 4, scale: str = "1/2") -> None:
        super().__init__()
        self.layer = ContinuousConv2d(3, channels, 3, scale=Fraction(scale))

    def forward(self, image: Tensor) -> Tensor:
        return self.layer(image)


@pytest.mark.parametrize(
    "make, size",
    [
        (lambda: SharedCCNet(4, kernel="cosine", classes=3), 32),
        (lambda: SharedCCNet(4, scales=[0.8, *[0.75] * 6], hidden=5), 32),
        (lambda: Own(5, scale="2/3"), 9),
    ],
    ids=["CCNet", "scales", "own"],
)
def test_a_folder_holds_all(make, size, tmp_path):
    net, image = make(), torch.rand(2, 3, size, size)
    net.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
    assert json.loads((tmp_path / "config.json").read_text())
    same = type(net).from_pretrained(tmp_path)
    assert repr(same.eval()) == repr(net.eval())
    assert torch.equal(same(image), net(image))


def test_super_resolution(tmp_path):
    net = SharedSuperResolutionNet(4, 1, kernel="spline").eval()
    net.save_pretrained(tmp_path)
    same = SharedSuperResolutionNet.from_pretrained(tmp_path)
    image = torch.rand(1, 3, 5, 6)
    assert torch.equal(same(image, scale=1.7), net(image, scale=1.7))
