"""The sum over taps, in registers: what the kernels have in common.

    z[row, a b, c] = sum_ka  basis_a[ka, a]  sum_kb  basis_b[kb, b]  pixels[m, c]
    m = source_a[ka] across + source_b[kb]

A tile has some rows (output pixels, of all images in turn) and some channels. What
a row reads is the product of two tables, for the leading axes and for the last one. If
``KA`` and ``KB`` are 0, rows have different numbers of entries, and `begin` says where
those of each are.
"""

# What Triton compiles is not quite Python: no types fit its loops and its constants.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false
# pyright: reportAssignmentType=false

import triton
import triton.language as tl


@triton.jit
def entries(begin_ptr, line, live, K: tl.constexpr):
    """Where the entries of each line begin, and how many there are."""
    if K > 0:
        first = line * K
        count = tl.where(live, K, 0)
    else:
        first = tl.load(begin_ptr + line, mask=live, other=0)
        count = tl.load(begin_ptr + line + 1, mask=live, other=0) - first
    return first, count


@triton.jit
def zeros(COUNT: tl.constexpr, M: tl.constexpr, N: tl.constexpr):
    """Tiles of float32 zeros."""
    tiles = ()
    for _ in tl.static_range(COUNT):
        tiles = tiles + (tl.zeros([M, N], tl.float32),)
    return tiles


@triton.jit
def add_tap(
    tiles,  # RB tiles [BLOCK_P, BLOCK_I], float32
    pixels,  # pointers [BLOCK_P, BLOCK_I], to pixel 0 of each row's image
    inside,  # [1, BLOCK_I]: which channels there are
    source_ptr,  # [entries of b]
    basis_ptr,  # [entries of b, RB]
    entry,  # [BLOCK_P], int64
    live,  # [BLOCK_P]
    pixel,  # [BLOCK_P], int64: what the leading axes say
    channels,  # numbers of a pixel
    RB: tl.constexpr,
):
    """One neighbor of every row, times each function of the last axis."""
    m = pixel + tl.load(source_ptr + entry, mask=live, other=0)
    where = pixels + m[:, None] * channels
    near = tl.load(where, mask=live[:, None] & inside, other=0.0).to(tl.float32)
    sums = ()
    for b in tl.static_range(RB):
        value = tl.load(basis_ptr + entry * RB + b, mask=live, other=0.0)
        sums = sums + (tiles[b] + value[:, None] * near,)
    return sums


@triton.jit
def sums_over_taps(
    pixels,  # pointers [BLOCK_P, BLOCK_I], to pixel 0 of each row's image
    inside,  # [1, BLOCK_I]: which channels there are
    source_a_ptr,  # [entries of a], int32
    basis_a_ptr,  # [entries of a, RA], float32
    source_b_ptr,  # [entries of b], int32
    basis_b_ptr,  # [entries of b, RB], float32
    first_a,  # [BLOCK_P], int64
    count_a,  # [BLOCK_P]: 0 for rows that are none
    first_b,  # [BLOCK_P], int64
    count_b,  # [BLOCK_P]
    a0,  # the first function of the leading axes that is wanted
    across,  # int64: pixels along the last axis of what is read
    channels,  # int64: numbers of a pixel
    KA: tl.constexpr,
    KB: tl.constexpr,
    RA: tl.constexpr,
    RB: tl.constexpr,
    STEP: tl.constexpr,  # how many functions of the leading axes are wanted
    BLOCK_P: tl.constexpr,
    BLOCK_I: tl.constexpr,
):
    """STEP x RB tiles, accumulated in float32."""
    z = zeros(STEP * RB, BLOCK_P, BLOCK_I)
    for ka in range(0, KA if KA > 0 else tl.max(count_a)):
        live_a = ka < count_a
        entry_a = first_a + ka
        line = tl.load(source_a_ptr + entry_a, mask=live_a, other=0).to(tl.int64)
        pixel = line * across
        near = zeros(RB, BLOCK_P, BLOCK_I)
        tap = (pixels, inside, source_b_ptr, basis_b_ptr)
        if KB > 0:
            for kb in tl.static_range(KB):
                live = live_a & (kb < count_b)
                near = add_tap(near, *tap, first_b + kb, live, pixel, channels, RB)
        else:
            for kb in range(0, tl.max(count_b)):
                live = live_a & (kb < count_b)
                near = add_tap(near, *tap, first_b + kb, live, pixel, channels, RB)
        sums = ()
        for a in tl.static_range(STEP):
            wanted = ka < tl.where(a0 + a < RA, count_a, 0)
            value = tl.load(basis_a_ptr + entry_a * RA + a0 + a, mask=wanted, other=0.0)
            for b in tl.static_range(RB):
                sums = sums + (z[a * RB + b] + value[:, None] * near[b],)
        z = sums
    return z
