"""Triton kernel of the gradient to the head: sums over taps, times that of the output.

    grad_head[g, r, i, o] = sum_np  z[n, p, r, g i]  gradient[n, p, g o]

A program has a tile of the head and a share of the rows. Shares are written apart and
added afterwards, in a fixed order: no atomics.
"""

# What Triton compiles is not quite Python: no types fit its loops and its constants.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false
# pyright: reportAssignmentType=false

import torch
import triton
import triton.language as tl
from torch import Tensor

from contconv.engines.fused.launch import Tile, pointers, ranks, run, tuned
from contconv.engines.fused.tap_sums import entries, sums_over_taps, zeros
from contconv.engines.fused.tap_tables import CSRRows

SIZES = ("rows", "p", "columns", "across", "size", "share")

# Shares are made until there are about so many programs: a few for each multiprocessor.
PROGRAMS = 1024


@triton.jit(do_not_specialize=SIZES)
def grad_head_kernel(
    shares_ptr,  # [shares, GROUPS, RA * RB, IN, OUT], float32, contiguous
    gradient_ptr,  # [n, p, GROUPS * OUT], contiguous
    pixels_ptr,  # [n, size, GROUPS * IN], contiguous
    source_a_ptr,  # [entries of a], int32
    basis_a_ptr,  # [entries of a, RA], float32
    begin_a_ptr,  # not read: all lines have KA entries
    source_b_ptr,  # [entries of b], int32
    basis_b_ptr,  # [entries of b, RB], float32
    begin_b_ptr,  # not read: all lines have KB entries
    rows,  # n * p
    p,  # output pixels of an image
    columns,  # lines of b: output pixels along the last axis
    across,  # pixels along the last axis of the input
    size,  # pixels of an image
    share,  # rows of a share, a multiple of BLOCK_P
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
    STEP: tl.constexpr = triton.cdiv(RA, triton.cdiv(RA * RB, TILES))
    steps = tl.cdiv(RA, STEP)
    parts = tl.cdiv(OUT, BLOCK_O)
    program = tl.program_id(0)
    o = (program % parts) * BLOCK_O + tl.arange(0, BLOCK_O)
    a0 = ((program // parts) % steps) * STEP
    rest = program // (parts * steps)
    i = (rest % tl.cdiv(IN, BLOCK_I)) * BLOCK_I + tl.arange(0, BLOCK_I)
    rest = (rest // tl.cdiv(IN, BLOCK_I)).to(tl.int64)
    group, number = rest % GROUPS, rest // GROUPS

    sums = zeros(STEP * RB, BLOCK_I, BLOCK_O)
    for row0 in range(number * share, min((number + 1) * share, rows), BLOCK_P):
        row = row0 + tl.arange(0, BLOCK_P)
        live = row < rows
        n = row // p
        q = (row - n * p).to(tl.int32)
        first_a, count_a = entries(begin_a_ptr, (q // columns).to(tl.int64), live, KA)
        first_b, count_b = entries(begin_b_ptr, (q % columns).to(tl.int64), live, KB)
        image = pixels_ptr + (n * size * (GROUPS * IN) + group * IN)[:, None]
        z = sums_over_taps(
            image + i[None, :],
            (i < IN)[None, :],
            *(source_a_ptr, basis_a_ptr, source_b_ptr, basis_b_ptr),
            *(first_a, count_a, first_b, count_b, a0, across, GROUPS * IN),
            *(KA, KB, RA, RB, STEP, BLOCK_P, BLOCK_I),
        )
        where = (
            gradient_ptr + (row * (GROUPS * OUT) + group * OUT)[:, None] + o[None, :]
        )
        mask = live[:, None] & (o < OUT)[None, :]
        gradient = tl.load(where, mask=mask, other=0.0).to(tl.float32)
        added = ()
        for t in tl.static_range(STEP * RB):
            turned = tl.trans(z[t])
            one = tl.dot(turned, gradient, sums[t], input_precision=PRECISION)
            added = added + (one,)
        sums = added

    matrix = (number * GROUPS + group) * (RA * RB * IN * OUT)
    place = matrix + i[:, None] * OUT + o[None, :]
    for t in tl.static_range(STEP * RB):
        rest = tl.where(a0 * RB + t < RA * RB, IN, 0)
        mask = (i < rest)[:, None] & (o < OUT)[None, :]
        where = shares_ptr + place + (a0 * RB + t) * (IN * OUT)
        tl.store(where, sums[t], mask=mask)


# The first is for layers of many channels, the last for any.
TILES: list[Tile] = [
    (32, 32, 64, 3, 4, 1),
    (64, 32, 64, 3, 8, 1),
    (32, 16, 16, 3, 4, 1),
]
_tuned = tuned(grad_head_kernel, TILES)


def _share(rows: int, each: int) -> int:
    """CSRRows of a share, for ``each`` as many programs; the same whatever the tiles.

    They are whole tiles of any kind: the largest has 128 rows.
    """
    shares = max(1, min(PROGRAMS // each, rows // 512))
    return 128 * triton.cdiv(triton.cdiv(rows, shares), 128)


def to_head(
    gradient: Tensor,
    pixels: Tensor,
    a: CSRRows,
    b: CSRRows,
    across: int,
    o: int,
    how: str,
) -> Tensor:
    """The gradient to the head, ``[groups, r, i, o]``, in float32.

    The ``gradient`` is ``[n, p, groups * o]``, the ``pixels`` are
    ``[n, size, groups * i]``.
    """
    n, p, all_o = gradient.shape
    groups = all_o // o
    i, r = pixels.shape[2] // groups, a.basis.shape[1] * b.basis.shape[1]
    share = _share(n * p, groups * r * triton.cdiv(i, 32) * triton.cdiv(o, 64))
    shares = triton.cdiv(n * p, share)
    partial = pixels.new_empty((shares, groups, r, i, o), dtype=torch.float32)

    def grid(meta: dict[str, int]) -> tuple[int]:
        ra, rb = a.basis.shape[1], b.basis.shape[1]
        step = triton.cdiv(ra, triton.cdiv(ra * rb, meta["TILES"]))
        tiles = triton.cdiv(i, meta["BLOCK_I"]) * triton.cdiv(o, meta["BLOCK_O"])
        return (shares * groups * triton.cdiv(ra, step) * tiles,)

    arguments = {
        "shares_ptr": partial,
        "gradient_ptr": gradient,
        "pixels_ptr": pixels,
        **pointers(a, b),
        "rows": n * p,
        "p": p,
        "columns": b.lines,
        "across": across,
        "size": pixels.shape[1],
        "share": share,
        "GROUPS": groups,
        "IN": i,
        "OUT": o,
        **ranks(a, b),
        "PRECISION": how,
        "MANY": min(4, (n * p).bit_length() // 4),
    }
    run(grad_head_kernel, _tuned, grid, arguments)
    return partial.sum(0)
