"""Forward and backward over a convolution's of the same output size: medians of turns.

    PYTHONPATH=../src:. python bench_backward.py [threads] [float32|bfloat16] [part]

In one thread the time of that thread is taken, which counts on a busy machine too; with
more, the time of the clock. A part is `forward`, `image`, `head` or `tables`.
"""

import sys
import time
from collections.abc import Callable
from fractions import Fraction

import contconv_native
import torch
import torch.nn.functional as F
from torch import Tensor

# Images, channels in and out, pixels in, scale.
CASES = [
    (1, 64, 64, 64, Fraction("0.7391")),
    (16, 64, 64, 32, Fraction("0.7391")),
    (4, 256, 256, 32, Fraction("0.7391")),
    (128, 32, 32, 32, Fraction("0.7391")),
    (128, 64, 64, 16, Fraction("0.7937")),
    (16, 64, 64, 32, Fraction("0.3717")),
    (1, 64, 64, 64, Fraction("1.3177")),
    (1, 64, 64, 48, Fraction("2.4371")),
]

_ops = torch.ops.contconv_native


def tables(kernel, size: int, scale: Fraction) -> tuple[Tensor, ...]:
    """Those of z, which is not there, y and x."""
    from contconv._grid.grid import AxisGrid, resized_axes
    from contconv.engines import Problem
    from contconv.engines.native.tables import axis_tables

    axes = resized_axes((size,) * 2, (3, 3), scale, None)
    image = torch.empty(1, kernel.head.shape[1], size, size)
    return axis_tables(Problem(image, kernel, AxisGrid(axes, "zeros"), 1))


def turns(functions: list[Callable], clock: Callable[[], float], n: int) -> list[float]:
    """The median milliseconds of each, taken in turns."""
    times = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(n):
        for function, each in zip(functions, times, strict=True):
            start = clock()
            function()
            each.append(clock() - start)
    return [1e3 * sorted(each)[n // 2] for each in times]


def compare(case: tuple, dtype: torch.dtype, part: str, clock: Callable) -> str:
    """A line of the table."""
    from contconv.kernels import CosineKernel

    n, c, o, size, scale = case
    kernel = CosineKernel(c, o, (3, 3))
    head = kernel.head.detach()
    flat = tables(kernel, size, scale)
    image = torch.randn(n, c, size, size).to(dtype)
    out = flat[2].shape[0]
    grad = torch.randn(n, o, out, out).to(dtype)
    near = torch.randn(n, c, out, out).to(dtype).requires_grad_()
    weight = torch.randn(o, c, 3, 3).to(dtype).requires_grad_()
    wanted = [
        part in ("all", "image"),
        part in ("all", "head"),
        *[part == "tables"] * 3,
    ]

    def ours() -> None:
        if part in ("all", "forward"):
            _ops.separable(image, head, *flat, 1, -1)
        if any(wanted):
            _ops.separable_backward(grad, image, head, *flat, 1, -1, -1, *wanted)

    def convolution() -> None:
        torch.autograd.grad(F.conv2d(near, weight, padding=1), (near, weight), grad)

    each = min(60, max(7, int(3e10 / (3 * 9 * n * c * o * out * out))))
    theirs, own = turns([convolution, ours], clock, each)
    adds = 3 * n * o * c * 9 * out * out / 1e6
    return (
        f"{n}x{c} to {o}, {size} to {out} px: convolution {theirs:.2f} ms "
        f"({adds / theirs:.0f} GMAC/s), {part} {own:.2f} ms, {own / theirs:.2f}"
    )


def main() -> None:
    """The table."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    dtype = getattr(torch, sys.argv[2]) if len(sys.argv) > 2 else torch.float32
    part = sys.argv[3] if len(sys.argv) > 3 else "all"
    torch.set_num_threads(threads)
    contconv_native.load()
    clock = time.thread_time if threads == 1 else time.perf_counter
    print(f"{dtype}, {threads} threads, {contconv_native.instruction_set()}")
    for case in CASES:
        print(compare(case, dtype, part, clock), flush=True)


if __name__ == "__main__":
    main()
