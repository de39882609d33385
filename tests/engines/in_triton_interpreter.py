"""The kernels of the fused engine on a CPU, in Triton's interpreter: a process each.

``TRITON_INTERPRET=1 python -m tests.engines.in_triton_interpreter NAME``. It has to be
set before Triton is imported, and none of what it runs may be instrumented: hence a
process. Every buffer that a kernel gets lies between bands of NaN, or of indices that
point there.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from contconv import ContinuousConv2d, continuous_conv
from contconv._grid.padding import PADDING_MODES
from contconv.kernels import ContinuousKernel, CosineKernel, MLPKernel, SplineKernel

# Numbers in a band: more than a tile reaches beyond its row.
BAND = 4096

CHECKS: dict[str, Callable[[], None]] = {}


def check(function: Callable[[], None]) -> Callable[[], None]:
    CHECKS[function.__name__] = function
    return function


def in_bands(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """A copy of the same strides, and the buffer in whose middle it lies."""
    outside = float("nan") if tensor.is_floating_point() else -1
    buffer = torch.full((tensor.numel() + 2 * BAND,), outside, dtype=tensor.dtype)
    inner = buffer.as_strided(tensor.shape, tensor.stride(), BAND)
    return inner.copy_(tensor), buffer


def guarded(run: Callable[..., None]) -> Callable[..., None]:
    """A launch whose buffers lie between bands, which have to stay as they are."""

    def launch(kernel: Any, tuned: Any, grid: Any, arguments: dict[str, Any]) -> None:
        given = {n: v for n, v in arguments.items() if isinstance(v, Tensor)}
        pairs = {name: in_bands(tensor) for name, tensor in given.items()}
        before = {name: buffer.clone() for name, (_, buffer) in pairs.items()}
        inner = {name: copy for name, (copy, _) in pairs.items()}
        run(kernel, tuned, grid, {**arguments, **inner})
        for name, (copy, buffer) in pairs.items():
            if name in ("out_ptr", "shares_ptr"):
                given[name].copy_(copy)
                copy.copy_(before[name].as_strided(copy.shape, copy.stride(), BAND))
            same = torch.equal(buffer.nan_to_num(7), before[name].nan_to_num(7))
            assert same, f"{name} was written where it may not be"

    return launch


def guard() -> None:
    from contconv.engines.fused import forward, grad_basis, grad_head

    for module in (forward, grad_basis, grad_head):
        module.run = guarded(module.run)  # type: ignore


def agree(image: Tensor, kernel: ContinuousKernel, **options: Any) -> None:
    """Output and all gradients are those of the reference."""
    leaves = [image.requires_grad_(), *kernel.parameters()]
    if "points" in options:
        leaves.append(options["points"].requires_grad_())
    actual = continuous_conv(image, kernel, **options, engine="fused")
    expected = continuous_conv(image, kernel, **options, engine="reference")
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
    if len(actual) > 1:
        assert actual.stride() == expected.stride()
    probe = torch.randn_like(expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual, leaves, probe),
        torch.autograd.grad(expected, leaves, probe),
        rtol=1e-3,
        atol=1e-4,
    )


@check
def padding_modes() -> None:
    """Two tables; a support that is wider than the image; several tiles of rows."""
    for mode in PADDING_MODES:
        kernel = CosineKernel(2, 3, (3, 4))
        scale, image = (0.71, 1.6), torch.randn(2, 2, 6, 3)
        agree(image, kernel, scale=scale, padding_mode=mode)


@check
def tiles_of_channels() -> None:
    """More channels than a tile has, in and out, and no multiple of it."""
    agree(torch.randn(1, 17, 4, 3), CosineKernel(17, 18, (2, 3)), scale=(0.8, 1.1))


@check
def groups() -> None:
    kernel = SplineKernel(4, 6, (4, 3), groups=2)
    agree(torch.randn(2, 4, 3, 4), kernel, scale=(0.8, 1.3), groups=2)
    depthwise = MLPKernel(2, 2, (3, 3), groups=2, widths=(8, 5))
    agree(torch.randn(2, 2, 4, 3), depthwise, scale=0.8, groups=2)


@check
def taps() -> None:
    """Ties, of half weight; a stretched kernel; more functions than a tile of sums."""
    agree(torch.randn(1, 2, 4, 4), CosineKernel(2, 2, (4, 2)), scale=1)
    kernel, scale = CosineKernel(2, 2, (3, 3)), (0.37, 1.2)
    agree(torch.randn(1, 2, 9, 4), kernel, scale=scale, antialias=True)
    many = CosineKernel(2, 3, (3, 3), frequencies=(5, 2))
    agree(torch.randn(1, 2, 4, 5), many, scale=0.9)
    wide = CosineKernel(1, 2, (2, 3), frequencies=(2, 9))
    agree(torch.randn(1, 1, 4, 5), wide, scale=0.9)


@check
def dimensions() -> None:
    agree(torch.randn(2, 3, 13), CosineKernel(3, 2, (5,)), scale=1.618)
    cube = CosineKernel(2, 2, (3, 2, 2))
    agree(torch.randn(1, 2, 2, 3, 3), cube, scale=(1.5, 0.7, 1))
    agree(torch.randn(2, 3, 3, 4), CosineKernel(1, 1, (3, 3)), scale=0.8)


@check
def bases_that_learn() -> None:
    """The gradient to the basis, and to points: of one grid, and of one per image."""
    agree(torch.randn(3, 2, 4, 5), MLPKernel(2, 3, (3, 3), widths=(8, 5)), scale=0.8)
    points = 5 * torch.rand(3, 4, 2) - 1
    points[0, 0] = 1e9  # far away: nothing is read there
    agree(torch.randn(2, 2, 4, 5), CosineKernel(2, 3, (3, 3)), points=points)
    each = 5 * torch.rand(2, 3, 2, 2)
    agree(torch.randn(2, 2, 4, 5), MLPKernel(2, 3, (2, 2), widths=(4, 3)), points=each)


@check
def layouts() -> None:
    """Channels-last, strided, unbatched; no images at all; and the same bits again."""
    kernel = CosineKernel(3, 4, (3, 3))
    image = torch.randn(2, 3, 4, 5)
    agree(image.contiguous(memory_format=torch.channels_last), kernel, scale=0.7)
    agree(torch.randn(2, 3, 4, 10)[..., ::2], kernel, scale=0.7)
    agree(torch.randn(3, 4, 5), kernel, scale=0.7)
    agree(torch.randn(0, 3, 4, 5), kernel, scale=0.7)
    once, again = (continuous_conv(image, kernel, engine="fused") for _ in range(2))
    assert torch.equal(once, again)


@check
def low_precision() -> None:
    """At most twice the reference's own error, forward and backward; and autocast."""
    for dtype in (torch.bfloat16, torch.float16):
        image = torch.randn(2, 6, 5, 6, dtype=dtype, requires_grad=True)
        kernel = CosineKernel(6, 4, (3, 3), dtype=dtype)
        probe = torch.randn(2, 4, 4, 5, dtype=dtype)

        def results(kind: str, to: torch.dtype) -> list[Tensor]:
            x, k = image.detach().to(to).requires_grad_(), kernel.to(to)  # noqa: B023
            out = continuous_conv(x, k, scale=0.8, engine=kind)
            gradient = probe.to(to)  # noqa: B023
            found = [out, *torch.autograd.grad(out, [x, *k.parameters()], gradient)]
            return [value.detach().double() for value in found]

        fast, slow = results("fused", dtype), results("reference", dtype)
        for a, b, truth in zip(
            fast, slow, results("reference", torch.float64), strict=True
        ):
            error, allowed = (a - truth).abs().max(), 2 * (b - truth).abs().max()
            assert error <= allowed, f"{dtype}: {error:.2e}, allowed {allowed:.2e}"
    layer = ContinuousConv2d(3, 4, 3, scale=0.7, engine="fused")
    x = torch.randn(1, 3, 5, 6)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    out.float().sum().backward()
    assert out.dtype == torch.bfloat16 and layer.kernel.head.grad is not None
    assert layer.kernel.head.grad.dtype == torch.float32
    torch.testing.assert_close(out.float(), layer(x), rtol=0.02, atol=0.02)


@check
def transforms() -> None:
    """Second derivatives, forward mode and vmap: the plain formula, not a zero."""
    image = torch.randn(1, 2, 4, 3, requires_grad=True)
    kernel = CosineKernel(2, 2, (3, 2))

    def second(engine: str) -> list[Tensor]:
        out = continuous_conv(image, kernel, scale=0.8, engine=engine)
        leaves = [image, *kernel.parameters()]
        once = torch.autograd.grad(out.sin().sum(), leaves, create_graph=True)
        total = sum(gradient.square().sum() for gradient in once)
        assert isinstance(total, Tensor)
        return list(torch.autograd.grad(total, leaves))

    torch.testing.assert_close(second("fused"), second("reference"))

    def tangent(engine: str) -> Tensor:
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(image.detach(), torch.ones_like(image))
            out = continuous_conv(dual, kernel, scale=0.8, engine=engine)
            found = forward_ad.unpack_dual(out).tangent
            assert found is not None
            return found

    assert tangent("fused").abs().max() > 0.01
    torch.testing.assert_close(tangent("fused"), tangent("reference"))
    many = torch.randn(3, 1, 2, 4, 3)
    mapped = torch.func.vmap(
        lambda x: continuous_conv(x, kernel, scale=0.8, engine="fused")
    )(many)
    expected = [continuous_conv(x, kernel, scale=0.8, engine="fused") for x in many]
    torch.testing.assert_close(mapped, torch.stack(expected))


@check
def graphs() -> None:
    """One graph for the first size, and one for all others; gradients, too."""
    from torch._dynamo.testing import CompileCounterWithBackend

    sizes = {"cosine": ((4, 3), (3, 5), (5, 4)), "mlp": ((4, 3),)}
    for kernel in sizes:
        torch._dynamo.reset()
        counter = CompileCounterWithBackend("aot_eager")
        layer = ContinuousConv2d(1, 2, 2, scale=0.7, kernel=kernel, engine="fused")
        function = torch.compile(layer, backend=counter, fullgraph=True)
        for size in sizes[kernel]:
            image = torch.randn(1, 1, *size, requires_grad=True)
            leaves = [image, *layer.parameters()]
            actual, expected = function(image), layer(image)
            torch.testing.assert_close(actual, expected)
            probe = torch.randn_like(expected)
            torch.testing.assert_close(
                torch.autograd.grad(actual, leaves, probe),
                torch.autograd.grad(expected, leaves, probe),
                rtol=1e-4,
                atol=1e-5,
            )
        assert counter.frame_count <= 2


@check
def grids_from_the_first_pixel() -> None:
    agree(torch.randn(1, 2, 5, 4), CosineKernel(2, 2, (3, 2)), scale=0.5, padding=1)


@check
def data_parallel() -> None:
    """`DistributedDataParallel`, of one process here: the gradients arrive."""
    from torch import distributed

    store = distributed.HashStore()  # type: ignore
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    layer = ContinuousConv2d(2, 2, 3, scale=0.7, engine="fused")
    image = torch.randn(2, 2, 5, 4)
    layer(image).square().sum().backward()
    expected = [p.grad.clone() for p in layer.parameters() if p.grad is not None]
    layer.zero_grad()
    parallel = torch.nn.parallel.DistributedDataParallel(layer)
    parallel(image).square().sum().backward()
    torch.testing.assert_close([p.grad for p in layer.parameters()], expected)
    distributed.destroy_process_group()


@check
def operators() -> None:
    """Schemas, fake tensors, and autograd, as `torch.library.opcheck` has them."""
    pixels = torch.randn(2, 6, 2, requires_grad=True)
    head = torch.randn(1, 3, 2, 4, requires_grad=True)
    a = torch.tensor([[0], [1], [1]], dtype=torch.int32), torch.randn(3, 1, 2)
    b = torch.tensor([[0, 1], [1, 2]], dtype=torch.int32), torch.randn(2, 2, 2)
    names = ["test_schema", "test_autograd_registration", "test_faketensor"]
    for planes in (False, True):
        given = (pixels, *a, *b, 3, head, planes)
        operator = torch.ops.contconv.fused.default
        torch.library.opcheck(operator, given, test_utils=names)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True, warn_only=True)
    guard()
    for name in sys.argv[1:] or CHECKS:
        print(name, flush=True)
        CHECKS[name]()
