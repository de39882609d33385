"""Time the engine against what it replaces: ratios, taken by turns in one run.

    PYTHONPATH=src:native python native/bench.py --threads 1 --only down

Each row is one case. ``conv`` is `F.conv2d` with the same kernel size and channels at
the output's size, ``resize+conv`` is bilinear `F.interpolate` and that convolution;
both in the same memory format and dtype. A ratio below 1 is faster than they are.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from contconv import ContinuousConv2d


class Case(NamedTuple):
    """One layer and input."""

    group: str
    batch: int
    channels: int
    out_channels: int
    size: int
    scale: Fraction
    dtype: torch.dtype = torch.float32
    groups: int = 1


def cases() -> Iterator[Case]:
    """What design and targets speak of."""
    f = Fraction
    for batch, size in ((1, 64), (16, 32)):
        for scale in (f(5193, 10000), f(7391, 10000), f(9437, 10000)):
            yield Case("down", batch, 64, 64, size, scale)
    yield Case("down", 1, 64, 64, 256, f(8731, 10000))
    for batch, size in ((1, 128), (16, 48)):
        for scale in (f(3717, 10000), f(2113, 10000)):
            yield Case("below", batch, 64, 64, size, scale)
    for size, scale in ((32, f(7391, 10000)), (24, f(5193, 10000))):
        yield Case("wide", 1, 256, 256, size, scale)
    for scale in (f(5193, 10000), f(7391, 10000)):
        yield Case("narrow", 128, 32, 32, 32, scale)
    for size, scale in (
        (16, f(7391, 10000)),
        (8, f(7391, 10000)),
        (24, f(6173, 10000)),
    ):
        yield Case("small", 1, 64, 64, size, scale)
    for scale in (f(7391, 10000), f(13177, 10000), f(24371, 10000)):
        yield Case("few", 1, 3, 16, 512, scale)
        yield Case("few", 1, 16, 3, 512, scale)
        yield Case("few", 1, 3, 3, 512, scale)
    for scale in (f(13177, 10000), f(17391, 10000)):
        yield Case("up", 1, 64, 64, 64, scale)
    yield Case("up2", 1, 64, 64, 48, f(24371, 10000))
    yield Case("up3", 1, 64, 64, 64, f(32173, 10000))
    yield Case("up3", 1, 256, 256, 24, f(32173, 10000))
    for scale in (f(1, 2), f(2, 3), f(3, 4), f(3, 2), f(2)):
        yield Case("rational", 1, 64, 64, 64, scale)
    for batch, c, size in ((1, 64, 64), (16, 64, 32), (1, 256, 32), (128, 32, 32)):
        yield Case("bf16", batch, c, c, size, f(7391, 10000), torch.bfloat16)
    yield Case("depthwise", 1, 64, 64, 128, f(7391, 10000), groups=64)
    yield Case("depthwise", 1, 64, 64, 64, f(17391, 10000), groups=64)
    yield Case("grouped", 1, 64, 64, 128, f(7391, 10000), groups=8)


def measured(
    runs: list[Callable[[], object]], clock: Callable[[], float]
) -> list[float]:
    """The median time of each, in microseconds, by turns."""
    for run in runs:
        run()
    start = clock()
    runs[0]()
    inner = max(1, int(0.004 / max(1e-6, clock() - start)))
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for run, found in zip(runs, times, strict=True):
            start = clock()
            for _ in range(inner):
                run()
            found.append((clock() - start) / inner * 1e6)
    return [sorted(found)[len(found) // PICK] for found in times]


ROUNDS, PICK = 15, 2


def row(case: Case, clock: Callable[[], float], last: bool, engine: str) -> str:
    """The line of a case."""
    form = torch.channels_last if last else torch.contiguous_format
    layer = ContinuousConv2d(
        *(case.channels, case.out_channels, 3),
        groups=case.groups,
        bias=False,
        dtype=case.dtype,
        engine=engine,
    )
    shape = (case.batch, case.channels, case.size, case.size)
    x = torch.randn(shape, dtype=case.dtype).contiguous(memory_format=form)
    out = layer(x, scale=case.scale)
    size = tuple(out.shape[2:])
    weight = torch.randn(case.out_channels, case.channels // case.groups, 3, 3).to(
        case.dtype
    )
    weight = weight.contiguous(memory_format=form)
    y = torch.randn(case.batch, case.channels, *size).to(case.dtype)
    y = y.contiguous(memory_format=form)

    def conv(image: Tensor = y) -> Tensor:
        return F.conv2d(image, weight, padding=1, groups=case.groups)

    def resized() -> Tensor:
        return conv(F.interpolate(x, size=size, mode="bilinear"))

    ours, theirs, both = measured(
        [lambda: layer(x, scale=case.scale), conv, resized], clock
    )
    work = (
        case.batch
        * size[0]
        * size[1]
        * 9
        * case.channels
        * case.out_channels
        / case.groups
    )
    return (
        f"{case.group:9} {case.batch:3}x{case.channels}->{case.out_channels}"
        f"{'' if case.groups == 1 else f' /{case.groups}'} {case.size}->{size[0]}"
        f" {'NHWC' if last else 'NCHW'}: {ours:8.0f} us  {ours / theirs:5.2f} conv"
        f" ({work / theirs / 1e3:4.0f} GMAC/s)  {ours / both:5.2f} resize+conv"
    )


def main() -> None:
    """Print a line for each case."""
    global ROUNDS, PICK
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="groups, by commas")
    parser.add_argument("--engine", default="auto")
    parser.add_argument(
        "--cpu-time", action="store_true", help="of one thread; a busy machine"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--best", action="store_true", help="the least time, not the median"
    )
    parser.add_argument("--format", choices=("both", "nchw", "nhwc"), default="both")
    options = parser.parse_args()
    ROUNDS = options.rounds
    PICK = 10**9 if options.best else 2
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    clock = time.thread_time if options.cpu_time else time.perf_counter
    for case in cases():
        if options.only and case.group not in options.only.split(","):
            continue
        for last in (False, True):
            if options.format in ("both", "nhwc" if last else "nchw"):
                print(row(case, clock, last, options.engine), flush=True)


if __name__ == "__main__":
    main()
