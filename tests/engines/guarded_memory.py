"""The engine in C++ on tensors between pages that nobody may touch: a script.

It ends with an error of the system where a number beside a tensor is read.
"""

import ctypes
import itertools
import mmap

import contconv_native
import torch
from torch import Tensor

from contconv.engines.native import library, tables
from contconv.functional.call import as_call
from contconv.functional.conv import as_problem
from contconv.kernels import CosineKernel

# In, out, groups; widths around those of vectors.
CHANNELS = ((3, 5, 1), (16, 16, 1), (17, 33, 1), (20, 20, 20), (8, 12, 4))
SHAPES = ((1,), (17,), (1, 1), (3, 15), (2, 33), (2, 3, 5))

_memory: list[mmap.mmap] = []
_libc = ctypes.CDLL(None)


def guarded(tensor: Tensor, at_end: bool) -> Tensor:
    """A copy that begins right behind such a page, or ends right before one."""
    size = tensor.numel() * tensor.element_size()
    pages = -(-size // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 2) * mmap.PAGESIZE)
    begin = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (0, pages + 1):
        place = ctypes.c_void_p(begin + page * mmap.PAGESIZE)
        assert _libc.mprotect(place, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    _memory.append(memory)
    offset = mmap.PAGESIZE + at_end * (pages * mmap.PAGESIZE - size)
    count = {"dtype": tensor.dtype, "count": tensor.numel(), "offset": offset}
    copy = torch.frombuffer(memory, **count).as_strided(tensor.shape, tensor.stride())
    return copy.copy_(tensor)


def run(image: Tensor, kernel: CosineKernel, groups: int, scale: float) -> None:
    """Forward in every order, and all gradients, with both ends guarded."""
    options = {"scale": scale, "groups": groups, "padding_mode": "reflect"}
    call = as_call(image.float(), kernel, **options)
    made = tables.axis_tables(as_problem(image, kernel, call.grid, groups))
    ops = torch.ops.contconv_native
    for at_end in (False, True):
        given = [guarded(one, at_end) for one in (image, kernel.head, *made)]
        depthwise = kernel.head.shape[0] == groups == image.shape[1] and image.ndim < 5
        out = given[0]
        for order in range(4 + depthwise):
            out = ops.separable(*given, groups, order)
            assert not out.isnan().any()
        gradient = guarded(torch.randn_like(out), at_end)
        for side in range(2 + depthwise):
            wanted = (groups, -1, side, *[True] * 5)
            found = ops.separable_backward(gradient, *given, *wanted)
            assert not any(one.isnan().any() for one in found)


def main() -> None:
    """All cases, for the instruction set that the environment names."""
    torch.use_deterministic_algorithms(True)  # what is not written is NaN
    for (c, o, groups), shape in itertools.product(CHANNELS, SHAPES):
        kernel = CosineKernel(
            *(c, o, (3, 4, 2)[: len(shape)]),
            frequencies=(2, 5, 3)[: len(shape)],
            groups=groups,
        ).requires_grad_(False)
        for scale, dtype in ((0.7391, torch.float32), (1.6, torch.bfloat16)):
            image = torch.randn(2, c, *shape, dtype=dtype)
            run(image, kernel, groups, scale)
            if len(shape) == 2:
                last = image.contiguous(memory_format=torch.channels_last)
                run(last, kernel, groups, scale)
        _memory.clear()
    print(contconv_native.instruction_set(), "is well-behaved")


if __name__ == "__main__":
    assert library.missing() is None
    main()
