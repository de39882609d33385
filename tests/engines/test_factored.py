"""The factored engine in chunks and slabs: the same result, in little memory."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from contconv import ContinuousConv2d, continuous_conv
from contconv.engines.factored import chunks
from contconv.engines.factored import engine as factored
from contconv.kernels import CosineKernel, MLPKernel
from tests.combinations import pairs


@pairs(
    chunk_slab=[(1, 1), (900, 2**13)],
    groups=[1, 2, 4],
    kind=[CosineKernel, MLPKernel],
    own=[False, True],
)
def test_many_small_chunks(monkeypatch, chunk_slab, groups, kind, own):
    """Chunks of 16 pixels, of one row; the last of each is smaller."""
    monkeypatch.setattr(chunks, "_CHUNK_ELEMENTS", chunk_slab[0])
    monkeypatch.setattr(factored, "_SLAB", chunk_slab[1])
    kernel = kind(4, 8, (3, 3), groups=groups, dtype=torch.float64)
    image = torch.randn(5, 4, 9, 10, dtype=torch.float64, requires_grad=True)
    options = {"scale": (0.83, 1.29), "groups": groups}
    if own:
        points = 9 * torch.rand(5, 7, 6, 2, dtype=torch.float64)
        options = {"points": points.requires_grad_(), "groups": groups}
    leaves = [image, *kernel.parameters()]
    actual = continuous_conv(image, kernel, **options, engine="factored")
    expected = continuous_conv(image, kernel, **options, engine="reference")
    torch.testing.assert_close(actual, expected)
    probe = torch.randn_like(actual)
    torch.testing.assert_close(
        torch.autograd.grad(actual, leaves, probe),
        torch.autograd.grad(expected, leaves, probe),
    )


class Largest(TorchDispatchMode):
    """The most elements of any new tensor that an operation returns."""

    elements = 0

    @staticmethod
    def memory(value: object) -> int | None:
        tensor = isinstance(value, torch.Tensor)
        return value.untyped_storage().data_ptr() if tensor else None

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        given = {self.memory(value) for value in args}
        for value in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(value, torch.Tensor) and self.memory(value) not in given:
                self.elements = max(self.elements, value.numel())
        return out


@torch.no_grad()
def test_memory_is_bounded(monkeypatch):
    """No tensor beyond output and slab; the neighbors alone would be 9 outputs."""
    monkeypatch.setattr(chunks, "_CHUNK_ELEMENTS", 2**15)
    monkeypatch.setattr(factored, "_SLAB", 2**16)
    image = torch.randn(1, 3, 220, 180)
    layer = ContinuousConv2d(3, 8, 3, engine="factored")
    with Largest() as seen:
        out = layer(image, scale=1.37)
    assert seen.elements <= max(
        out.numel(), factored._SLAB // 4, chunks._CHUNK_ELEMENTS
    )


@torch.no_grad()
@pytest.mark.parametrize("shape", [(1, 16, 700, 900), (64, 16, 80, 90)], ids=str)
def test_the_input_is_not_copied(shape):
    layer = ContinuousConv2d(16, 2, 3, engine="factored")
    image = torch.randn(shape)
    with Largest() as seen:
        layer(image, scale=0.31)
    bound = max(factored._WINDOW, chunks._CHUNK_ELEMENTS, factored._SLAB // 4)
    assert seen.elements <= bound + bound // 8 < image.numel() // 2


def test_backward_keeps_no_moments():
    """What is saved for it: input, pixels' neighbors, basis and head, no [p, r, c]."""
    saved = []
    image = torch.randn(2, 32, 20, 20, requires_grad=True)
    layer = ContinuousConv2d(32, 32, 3, scale=0.71, engine="factored")
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: saved.append(tensor.numel()) or tensor, lambda tensor: tensor
    ):
        out = layer(image)
    moments = 9 * out.numel()
    assert out.requires_grad and max(saved) < moments / 2
