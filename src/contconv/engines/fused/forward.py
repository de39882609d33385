"""The product in one kernel: sums over taps in registers, then tensor cores.

    out[n, p, g o] = sum_r sum_i  head[g, r, o, i]  z[n, p, r, g i]

A program has a tile of output pixels, of all images in turn, and a tile of a group's
output channels. Z never leaves the chip. The gradient to the pixels is the same sum,
of the transposed tables and the transposed head.
"""

# What Triton compiles is not quite Python: no types fit its loops and its constants.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false
# pyright: reportAssignmentType=false

import triton
import triton.language as tl
from torch import Tensor

from contconv.engines.fused.launch import Tile, pointers, ranks, run, tuned
from contconv.engines.fused.tap_sums import entries, sums_over_taps
from contconv.engines.fused.tap_tables import CSRRows

# Constants of a network are compiled in, sizes of images are not; but which of its
# strides is 1 decides how the output is written.
SIZES = ("rows", "p", "columns", "across", "size", "stride_n")


@triton.jit(do_not_specialize=SIZES)
def forward_kernel(
    out_ptr,  # [n, p, GROUPS * OUT], by strides
    pixels_ptr,  # [n, size, GROUPS * IN], contiguous
    head_ptr,  # [GROUPS, RA * RB, OUT, IN], float32, contiguous
    source_a_ptr,  # [entries of a], int32
    basis_a_ptr,  # [entries of a, RA], float32
    begin_a_ptr,  # [lines of a + 1], int64; read if KA is 0
    source_b_ptr,  # [entries of b], int32
    basis_b_ptr,  # [entries of b, RB], float32
    begin_b_ptr,  # [lines of b + 1], int64; read if KB is 0
    rows,  # n * p
    p,  # output pixels of an image
    columns,  # lines of b: output pixels along the last axis
    across,  # pixels along the last axis of what is read
    size,  # pixels of an image that is read
    stride_n,
    stride_p,
    stride_o,
    GROUPS: tl.constexpr,
    IN: tl.constexpr,  # channels of a group
    OUT: tl.constexpr,
    KA: tl.constexpr,
    KB: tl.constexpr,
    RA: tl.constexpr,
    RB: tl.constexpr,
    PRECISION: tl.constexpr,
    MANY: tl.constexpr,  # how many tiles of rows there are, roughly: for tuning
    BLOCK_P: tl.constexpr,
    BLOCK_I: tl.constexpr,
    BLOCK_O: tl.constexpr,
    TILES: tl.constexpr,  # about so many sums at once
):
    # Functions of the leading axes at once: as even parts of RA as TILES allows.
    STEP: tl.constexpr = triton.cdiv(RA, triton.cdiv(RA * RB, TILES))
    parts = tl.cdiv(OUT, BLOCK_O)
    program = tl.program_id(0)
    part = program % parts
    group = ((program // parts) % GROUPS).to(tl.int64)
    tile = (program // parts // GROUPS).to(tl.int64)

    row = tile * BLOCK_P + tl.arange(0, BLOCK_P)
    live = row < rows
    n = row // p
    q = (row - n * p).to(tl.int32)
    first_a, count_a = entries(begin_a_ptr, (q // columns).to(tl.int64), live, KA)
    first_b, count_b = entries(begin_b_ptr, (q % columns).to(tl.int64), live, KB)
    channels = GROUPS * IN
    image = pixels_ptr + (n * size * channels + group * IN)[:, None]
    o = part * BLOCK_O + tl.arange(0, BLOCK_O)
    matrix = head_ptr + group * (RA * RB * OUT * IN) + o[None, :] * IN

    out = tl.zeros([BLOCK_P, BLOCK_O], tl.float32)
    for i0 in range(0, IN, BLOCK_I):
        i = i0 + tl.arange(0, BLOCK_I)
        for a0 in range(0, RA, STEP):
            z = sums_over_taps(
                image + i[None, :],
                (i < IN)[None, :],
                *(source_a_ptr, basis_a_ptr, source_b_ptr, basis_b_ptr),
                *(first_a, count_a, first_b, count_b, a0, across, channels),
                *(KA, KB, RA, RB, STEP, BLOCK_P, BLOCK_I),
            )
            for t in tl.static_range(STEP * RB):
                mask = (i < IN)[:, None] & (o < OUT)[None, :] & (a0 * RB + t < RA * RB)
                where = matrix + (a0 * RB + t) * (OUT * IN) + i[:, None]
                head = tl.load(where, mask=mask, other=0.0)
                out = tl.dot(z[t], head, out, input_precision=PRECISION)

    place = n * stride_n + q * stride_p
    where = out_ptr + place[:, None] + (group * OUT + o)[None, :] * stride_o
    tl.store(where, out, mask=live[:, None] & (o < OUT)[None, :])


# The first is for layers of many channels, the last for any.
TILES: list[Tile] = [
    (64, 16, 64, 9, 8, 1),
    (32, 16, 64, 9, 4, 1),
    (64, 16, 128, 9, 8, 1),
    (64, 16, 64, 9, 4, 1),
    (128, 16, 64, 9, 8, 1),
    (64, 16, 32, 9, 4, 1),
    (64, 16, 16, 9, 4, 1),
]
_tuned = tuned(forward_kernel, TILES)


def product(
    pixels: Tensor,
    a: CSRRows,
    b: CSRRows,
    across: int,
    head: Tensor,
    out: Tensor,
    how: str,
) -> None:
    """Write the product into ``out``, ``[n, p, groups * o]`` with any strides.

    The ``pixels`` are ``[n, size, groups * i]``, ``across`` of them along the last
    axis; the head is ``[groups, r, o, i]``; ``how`` tensor cores take float32.
    """
    groups, _, o, i = head.shape
    n, p, _ = out.shape

    def grid(meta: dict[str, int]) -> tuple[int]:
        tiles = triton.cdiv(n * p, meta["BLOCK_P"])
        return (tiles * groups * triton.cdiv(o, meta["BLOCK_O"]),)

    arguments = {
        "out_ptr": out,
        "pixels_ptr": pixels,
        "head_ptr": head,
        **pointers(a, b),
        "rows": n * p,
        "p": p,
        "columns": b.lines,
        "across": across,
        "size": pixels.shape[1],
        "stride_n": out.stride(0),
        "stride_p": out.stride(1),
        "stride_o": out.stride(2),
        "GROUPS": groups,
        "IN": i,
        "OUT": o,
        **ranks(a, b),
        "PRECISION": how,
        "MANY": min(4, (n * p).bit_length() // 4),
    }
    run(forward_kernel, _tuned, grid, arguments)
