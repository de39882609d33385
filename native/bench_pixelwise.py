"""Time the engine where the basis is no product over the axes, or at points.

    PYTHONPATH=src:native python native/bench_pixelwise.py --threads 2

``conv`` is `F.conv2d` with the same kernel size and channels at the output's size, the
others are engines of this library; taken by turns in one run, least times.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from contconv import continuous_conv
from contconv.kernels import ContinuousKernel, CosineKernel, GaussianKernel, MLPKernel

ROUNDS, CLOCK = 15, time.perf_counter


def measured(runs: list[Callable[[], object]]) -> list[float]:
    """The least time of each in microseconds, by turns."""
    best = [float("inf")] * len(runs)
    for run in runs:
        run()
    for _ in range(ROUNDS):
        for i, run in enumerate(runs):
            start = CLOCK()
            run()
            best[i] = min(best[i], CLOCK() - start)
    return [1e6 * one for one in best]


def backward(run: Callable[[], Tensor], leaves: list[Tensor]) -> None:
    """Forward and backward."""
    with torch.enable_grad():
        out = run()
        torch.autograd.grad(out, leaves, torch.ones_like(out))


def row(
    name: str,
    kernel: ContinuousKernel,
    shape: tuple[int, ...],
    options: dict,
    engines: list[str],
    learns: bool,
) -> str:
    """The line of a case."""
    image = torch.randn(shape, requires_grad=learns)
    with torch.no_grad():
        out = continuous_conv(image, kernel, **options, engine="factored")
    groups = options.get("groups", 1)
    inputs = torch.randn(len(out), shape[1], *out.shape[2:], requires_grad=learns)
    weight = torch.randn(out.shape[1], shape[1] // groups, 3, 3, requires_grad=learns)
    runs: list = [partial(F.conv2d, inputs, weight, padding=1, groups=groups)]
    runs += [
        partial(continuous_conv, image, kernel, **options, engine=one)
        for one in engines
    ]
    if learns:
        ours = [image, *kernel.parameters()]
        leaves = [[inputs, weight], *[ours] * len(engines)]
        runs = [partial(backward, *pair) for pair in zip(runs, leaves, strict=True)]
    conv, *times = measured(runs)
    found = ", ".join(
        f"{engine} {one:.0f} us ({one / conv:.2f})"
        for engine, one in zip(engines, times, strict=True)
    )
    return f"{name}{' + backward' * learns}: conv {conv:.0f} us; {found}"


def main() -> None:
    """Print a line for each case."""
    global CLOCK
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--engines", default="native,factored,auto")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.threads == 1:
        CLOCK = time.thread_time  # also on a busy machine
    engines = options.engines.split(",")
    mlp, cosine = MLPKernel(64, 64, (3, 3)), CosineKernel(64, 64, (3, 3))
    points = 63 * torch.rand(48, 48, 2)
    cases: list = [
        ("mlp 1x64, 64 px, 0.7391", mlp, (1, 64, 64, 64), {"scale": 0.7391}),
        ("mlp 16x64, 32 px, 0.7391", mlp, (16, 64, 32, 32), {"scale": 0.7391}),
        ("mlp 1x64, 64 px, 1.7391", mlp, (1, 64, 64, 64), {"scale": 1.7391}),
        ("mlp 1x64, 64 px, 1/2", mlp, (1, 64, 64, 64), {"size": 32}),
        ("mlp 1x64, 66 px, 2/3", mlp, (1, 64, 66, 66), {"size": 44}),
        ("mlp 1x64, 64 px, 2", mlp, (1, 64, 64, 64), {"size": 128}),
        (
            "mlp 3 to 16, 256 px, 0.7391",
            MLPKernel(3, 16, (3, 3)),
            (1, 3, 256, 256),
            {"scale": 0.7391},
        ),
        (
            "mlp 64 depthwise, 64 px, 0.7391",
            MLPKernel(64, 64, (3, 3), groups=64),
            (1, 64, 64, 64),
            {"scale": 0.7391, "groups": 64},
        ),
        ("points 1x64, 48 px", cosine, (1, 64, 64, 64), {"points": points}),
        (
            "gaussian 1x64, 64 px, 0.7391",
            GaussianKernel([[2.0, 1.0], [1.0, 1.0]], (5, 5)),
            (1, 64, 64, 64),
            {"scale": 0.7391},
        ),
    ]
    for learns in (False, True):
        for name, kernel, shape, given in cases:
            if options.only in name:
                with torch.set_grad_enabled(learns):
                    print(row(name, kernel, shape, given, engines, learns), flush=True)


if __name__ == "__main__":
    main()
