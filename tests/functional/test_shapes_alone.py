"""resize and warp of tensors without values: the shapes and dtypes of the others."""

from contextlib import nullcontext

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from contconv import resize, warp
from contconv.kernels import CosineKernel, GaussianKernel

RESIZES = {
    "down": {"scale": 0.3},
    "size": {"size": (3, 20)},
    "edge": {"scale": 0.1, "align": "edge", "kernel": "lanczos3"},
    "gaussian": {"scale": 0.6, "kernel": "gaussian"},
    "nearest": {"scale": (2, 0.7), "kernel": "nearest"},
}

# Made before: what is learned is drawn as numbers.
KERNELS = {
    "linear": "linear",
    "cubic": "cubic",
    "gaussian": GaussianKernel([[2.0, 1.0], [1.0, 2.0]]),
    "cosine": CosineKernel(4, 3, (3, 3)),
}


def without_values(kind: str):
    if kind == "meta":
        return nullcontext()
    return FakeTensorMode(allow_non_fake_inputs=True)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16])
@pytest.mark.parametrize("options", RESIZES.values(), ids=RESIZES)
@pytest.mark.parametrize("kind", ["meta", "fake"])
def test_resize(kind, options, dtype):
    expected = resize(torch.zeros(2, 4, 9, 8, dtype=dtype), **options)
    with without_values(kind):
        device = "meta" if kind == "meta" else "cpu"
        out = resize(torch.zeros(2, 4, 9, 8, dtype=dtype, device=device), **options)
    assert (out.shape, out.dtype, out.device.type) == (expected.shape, dtype, device)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3), (7, 5, 2)], ids=str)
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("kind", ["meta", "fake"])
def test_warp(kind, name, shape, antialias):
    kernel, image = KERNELS[name], torch.zeros(2, 4, 9, 8)
    expected = warp(image, kernel, torch.ones(shape), antialias=antialias)
    device = "meta" if kind == "meta" else "cpu"
    if kind == "meta" and name == "cosine":
        kernel = CosineKernel(4, 3, (3, 3), device="meta")
    with without_values(kind):
        image = torch.zeros(2, 4, 9, 8, device=device, requires_grad=True)
        transform = torch.ones(shape, device=device)
        out = warp(image, kernel, transform, antialias=antialias)
        (gradient,) = torch.autograd.grad(out.sum(), image)
    assert (out.shape, out.device.type) == (expected.shape, device)
    assert gradient.shape == image.shape
