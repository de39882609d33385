"""Triton kernel of the gradient to the basis, for each neighbor and function.

    y[n, p, r, g i]        = sum_o  gradient[n, p, g o]  head[g, r, o, i]
    grad_basis[p, k, r]    = sum_n sum_gi  y[n, p, r, g i]  pixels[n, m_k, g i]

A program has a tile of pixels, one function, and a share of the images. The tables are
whole: of one factor. Shares are added afterwards, in a fixed order: no atomics.
"""

# What Triton compiles is not quite Python: no types fit its loops and its constants.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false
# pyright: reportAssignmentType=false

import torch
import triton
import triton.language as tl
from torch import Tensor

from contconv.engines.fused.launch import Tile, run, tuned
from contconv.engines.fused.tap_tables import CSRRows

SIZES = ("images", "p", "size", "share")

# Shares are made until there are about so many programs: a few for each multiprocessor.
PROGRAMS = 1024


@triton.jit(do_not_specialize=SIZES)
def grad_basis_kernel(
    shares_ptr,  # [shares, p, KA, RA], float32, contiguous
    gradient_ptr,  # [images, p, GROUPS * OUT], contiguous
    pixels_ptr,  # [images, size, GROUPS * IN], contiguous
    head_ptr,  # [GROUPS, RA, OUT, IN], float32, contiguous
    source_a_ptr,  # [p, KA], int32
    images,
    p,  # output pixels of an image
    size,  # pixels of an image
    share,  # images of a share
    GROUPS: tl.constexpr,
    IN: tl.constexpr,  # channels of a group
    OUT: tl.constexpr,
    KA: tl.constexpr,
    KB: tl.constexpr,  # 1
    RA: tl.constexpr,
    RB: tl.constexpr,  # 1
    PRECISION: tl.constexpr,
    MANY: tl.constexpr,  # how many tiles of rows there are, roughly: for tuning
    BLOCK_P: tl.constexpr,
    BLOCK_I: tl.constexpr,
    BLOCK_O: tl.constexpr,
    TILES: tl.constexpr,  # not used: one function at a time
):
    program = tl.program_id(0)
    r = program % RA
    rest = (program // RA).to(tl.int64)
    number, tile = rest // tl.cdiv(p, BLOCK_P), rest % tl.cdiv(p, BLOCK_P)
    q = tile * BLOCK_P + tl.arange(0, BLOCK_P)
    live = q < p

    TAPS: tl.constexpr = triton.next_power_of_2(KA)
    taps = tl.arange(0, TAPS)[None, :]
    sums = tl.zeros([BLOCK_P, TAPS], tl.float32)
    for n in range(number * share, min((number + 1) * share, images)):
        for part in range(0, GROUPS * tl.cdiv(IN, BLOCK_I)):
            group = part // tl.cdiv(IN, BLOCK_I)
            i = (part % tl.cdiv(IN, BLOCK_I)) * BLOCK_I + tl.arange(0, BLOCK_I)
            inside = (i < IN)[None, :]
            y = tl.zeros([BLOCK_P, BLOCK_I], tl.float32)
            lines = gradient_ptr + ((n * p + q) * (GROUPS * OUT) + group * OUT)[:, None]
            matrix = head_ptr + ((group * RA + r) * (OUT * IN) + i)[None, :]
            for o0 in range(0, OUT, BLOCK_O):
                o = o0 + tl.arange(0, BLOCK_O)
                mask = live[:, None] & (o < OUT)[None, :]
                gradient = tl.load(lines + o[None, :], mask=mask, other=0.0)
                mask = (o < OUT)[:, None] & inside
                head = tl.load(matrix + o[:, None] * IN, mask=mask, other=0.0)
                y = tl.dot(gradient.to(tl.float32), head, y, input_precision=PRECISION)
            for k in range(0, KA):
                m = tl.load(source_a_ptr + q * KA + k, mask=live, other=0).to(tl.int64)
                where = ((n * size + m) * (GROUPS * IN) + group * IN)[:, None] + i[
                    None, :
                ]
                mask = live[:, None] & inside
                near = tl.load(pixels_ptr + where, mask=mask, other=0.0).to(tl.float32)
                both = tl.sum(y * near, 1)
                sums += tl.where(taps == k, both[:, None], 0.0)

    place = ((number * p + q) * (KA * RA) + r)[:, None] + taps * RA
    tl.store(shares_ptr + place, sums, mask=live[:, None] & (taps < KA))


# The first is for layers of many channels, the last for any.
TILES: list[Tile] = [
    (64, 32, 32, 1, 4, 1),
    (32, 32, 32, 1, 4, 1),
    (32, 16, 16, 1, 4, 1),
]
_tuned = tuned(grad_basis_kernel, TILES)


def to_basis(
    gradient: Tensor, pixels: Tensor, a: CSRRows, head: Tensor, how: str
) -> Tensor:
    """The gradient to the basis of a whole table, ``[p, taps, r]``, in float32.

    The ``gradient`` is ``[n, p, groups * o]``, the ``pixels`` are
    ``[n, size, groups * i]``, the head ``[groups, r, o, i]``.
    """
    (n, p, _), (groups, r, o, i) = gradient.shape, head.shape
    shares = max(1, min(n, PROGRAMS // (r * triton.cdiv(p, 64))))
    share = triton.cdiv(n, shares)
    shares = triton.cdiv(n, share)
    partial = pixels.new_empty((shares, p, a.taps, r), dtype=torch.float32)

    def grid(meta: dict[str, int]) -> tuple[int]:
        return (shares * triton.cdiv(p, meta["BLOCK_P"]) * r,)

    arguments = {
        "shares_ptr": partial,
        "gradient_ptr": gradient,
        "pixels_ptr": pixels,
        "head_ptr": head,
        "source_a_ptr": a.source,
        "images": n,
        "p": p,
        "size": pixels.shape[1],
        "share": share,
        "GROUPS": groups,
        "IN": i,
        "OUT": o,
        "KA": a.taps,
        "KB": 1,
        "RA": r,
        "RB": 1,
        "PRECISION": how,
        "MANY": min(4, (n * p).bit_length() // 4),
    }
    run(grad_basis_kernel, _tuned, grid, arguments)
    return partial.sum(0)
