"""Tables for each pixel, warps, bytes and activations: a small run of `sanitize.py`."""

import itertools

import torch
from torch import nn

from contconv import continuous_conv, resize, warp
from contconv._grid.padding import PADDING_MODES
from contconv.kernels import CosineKernel, CubicKernel, MLPKernel
from contconv.nn import AliasFree


def run_points() -> int:
    """Forward and backward, on images whose last number is the last of its memory."""
    return _convolutions() + _warps() + _bytes() + _finer()


def _convolutions() -> int:
    done = 0
    for channels, groups, shape, last, dtype, threads in itertools.product(
        (3, 17, 32),
        (1, 0),
        ((23,), (9, 13), (3, 5, 6)),
        (False, True),
        (torch.float32, torch.bfloat16),
        (1, 3),
    ):
        torch.set_num_threads(threads)
        ndim, groups = len(shape), groups or channels
        args = (channels, channels, (3, 4, 2)[:ndim])
        image = torch.randn(2, channels, *shape, dtype=dtype)
        if last:
            image = image.movedim(1, -1).contiguous().movedim(-1, 1)
        points = 16 * torch.rand(2, *(6, 5, 2)[:ndim], ndim) - 3
        kernels = (
            (MLPKernel(*args, groups=groups), {"scale": 0.7391}),
            (MLPKernel(*args, groups=groups), {"scale": 1.5}),
            (CosineKernel(*args, groups=groups), {"points": points}),
            (CubicKernel(ndim=ndim), {"points": points[0]}),
        )
        for kernel, options in kernels:
            if not kernel.is_shared:
                options |= {"groups": groups}
            own = image.clone().requires_grad_()
            out = continuous_conv(
                *(own, kernel.to(dtype)), **options, padding_mode="reflect"
            )
            out.sum().backward()
            done += 1
    return done


def _warps() -> int:
    done = 0
    map = torch.tensor([[0.9, 0.3, -2.0], [-0.4, 1.1, 2.3], [0.02, -0.01, 1.1]])
    sizes = ((1, 1), (5, 3), (30, 150))
    for size, mode, kernel in itertools.product(
        sizes, PADDING_MODES, ("box", "linear", "cubic", "lanczos3")
    ):
        image = torch.randn(2, 3, *size, requires_grad=True)
        flow = 1e3 * torch.randn(*size, 2)
        for view, options in (
            (map, {"size": (9, 140)}),
            (map[:2].double(), {}),
            (flow, {}),
        ):
            view = view.clone().requires_grad_(kernel != "box")
            for antialias in (False, True):
                options |= {"padding_mode": mode, "antialias": antialias}
                if antialias and view.shape[-1] == 2:  # of a thousand pixels: slow
                    view = (view.detach() / 100).requires_grad_(view.requires_grad)
                warp(image, kernel, view, **options).sum().backward()
        for scale in (0.31, 1.7):
            resize(image.detach(), scale=scale, kernel=kernel, padding_mode=mode)
        done += 8
    return done


def _bytes() -> int:
    done = 0
    for shape, scale, mode, last in itertools.product(
        ((1, 1, 1), (1, 2, 40), (3, 5, 17, 3), (2, 17, 4, 33), (1, 2, 3, 5, 20)),
        (0.04, 0.5, 0.7391, 2.3),
        PADDING_MODES,
        (False, True),
    ):
        image = torch.randint(256, shape, dtype=torch.uint8)
        if last:
            image = image.movedim(1, -1).contiguous().movedim(-1, 1)
        resize(image, scale=scale, padding_mode=mode)
        done += 1
    return done


def _finer() -> int:
    done = 0
    shapes = ((3, 1), (20, 33), (17, 5, 7), (2, 40, 3), (16, 1, 1))
    activations = (nn.ReLU(), nn.LeakyReLU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU())
    for shape, mode, last, dtype in itertools.product(
        shapes, PADDING_MODES, (False, True), (torch.float32, torch.bfloat16)
    ):
        torch.set_num_threads(1 + done % 3)
        image = torch.randn(2, *shape, dtype=dtype)
        if last:
            image = image.movedim(1, -1).contiguous().movedim(-1, 1)
        for act in (*activations, torch.tanh, torch.sigmoid):
            layer = AliasFree(act, 2 + done % 2, ndim=len(shape) - 1, padding_mode=mode)
            own = image.clone().requires_grad_()
            layer(own).sum().backward()
            done += 1
    return done
