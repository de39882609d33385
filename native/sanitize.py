"""A small run of everything, under the sanitizers: `make sanitize` calls it."""

import itertools
import os
import subprocess
import sys

import contconv_native
import torch
from sanitize_points import run_points

from contconv.engines.native import tables
from contconv.functional.call import as_call
from contconv.functional.conv import as_problem
from contconv.kernels import CosineKernel


def run_all() -> int:
    """Every order on images whose last number is the last of its memory."""
    done = 0
    sizes = ((5, (23,)), (3, (9, 13)), (17, (6, 20)), (2, (3, 5, 6)))
    for (channels, shape), scale, groups, last, dtype in itertools.product(
        sizes,
        (0.31, 0.7391, 1, 2.3),
        (1, 0),
        (False, True),
        (torch.float32, torch.bfloat16),
    ):
        groups = groups or channels
        kernel = CosineKernel(
            *(channels, channels * (1 + (scale < 1)), (3, 4, 2)[: len(shape)]),
            frequencies=(2, 5, 3)[: len(shape)],
            groups=groups,
        )
        image = torch.randn(2, channels, *shape, dtype=dtype)
        if last and len(shape) > 1:
            form = torch.channels_last if len(shape) == 2 else torch.channels_last_3d
            image = image.contiguous(memory_format=form)
        call = as_call(
            *(image.float(), kernel),
            scale=scale,
            groups=groups,
            padding_mode="reflect",
            antialias=True,
        )
        problem = as_problem(image, kernel, call.grid, groups)
        depthwise = groups == channels and kernel.head.shape[:2] == (channels, 1)
        for order, threads in ((0, 1), (1, 2), (2, 3), (3, 2), (4, 2)):
            if order == 4 and not (depthwise and len(shape) < 3):
                continue
            torch.set_num_threads(threads)
            given = (image, kernel.head.float(), *tables.axis_tables(problem), groups)
            out = torch.ops.contconv_native.separable(*given, order)
            # All gradients: of the image in this order, of the head by each side.
            side = 2 if order == 4 else order % 2
            torch.ops.contconv_native.separable_backward(
                *(torch.randn_like(out), *given, order, side, *[True] * 5)
            )
            done += 2
    return done


if __name__ == "__main__":
    if os.environ.get(contconv_native.VARIABLE):
        with torch.no_grad():
            contconv_native.load()
            done = run_all()
            with torch.enable_grad():
                done += run_points()
            print(contconv_native.instruction_set(), done, "calls", flush=True)
    else:
        for name in contconv_native.compiled_sets():
            environment = {**os.environ, contconv_native.VARIABLE: name}
            subprocess.run([sys.executable, __file__], env=environment, check=True)
