// The product with a packed matrix: rows times [depth, columns].
//
// Packed, a matrix of `columns` lies in panels of 2 V columns, the last of V if no more
// are left: each panel is [depth, width], contiguous. So panel `n` begins at n * depth.
#pragma once
#include "simd.h"

namespace contconv::CONTCONV_ISA {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int MR = 14;  // rows of a register tile: 2 x 14 of 32 registers
#else
constexpr int MR = 6;  // 2 x 6 of 16
#endif

INLINE int64_t packed_columns(int64_t columns) { return round_up(columns, V); }

// c[M, NV * V] = a[M, depth] b[depth, NV * V], summed from the first to the last.
template <int M, int NV>
static void tile(const float* a, int64_t lda, const float* b, int64_t depth, float* c,
                 int64_t ldc) {
  vf sum[M][NV];
  UNROLL
  for (int m = 0; m < M; m++)
    UNROLL
    for (int v = 0; v < NV; v++) sum[m][v] = zero();
  for (int64_t k = 0; k < depth; k++) {
    vf right[NV];
    UNROLL
    for (int v = 0; v < NV; v++) right[v] = load(b + (k * NV + v) * V);
    UNROLL
    for (int m = 0; m < M; m++) {
      const vf left = splat(a[m * lda + k]);
      UNROLL
      for (int v = 0; v < NV; v++) sum[m][v] += left * right[v];
    }
  }
  UNROLL
  for (int m = 0; m < M; m++)
    UNROLL
    for (int v = 0; v < NV; v++) store(c + m * ldc + v * V, sum[m][v]);
}

typedef void (*Tile)(const float*, int64_t, const float*, int64_t, float*, int64_t);

template <int NV, int M = MR>
static Tile tile_of(int64_t rows) {
  if constexpr (M > 1) {
    return rows == M ? tile<M, NV> : tile_of<NV, M - 1>(rows);
  } else {
    return tile<1, NV>;
  }
}

// c[rows, columns] = a[rows, depth] b; c is written up to packed_columns(columns).
static void multiply(const float* a, int64_t lda, int64_t rows, const float* packed,
                     int64_t depth, int64_t columns, float* c, int64_t ldc) {
  const int64_t tiles = (rows + MR - 1) / MR;
  for (int64_t n = 0; n < columns; n += 2 * V) {
    const bool wide = columns - n > V;
    for (int64_t t = 0; t < tiles; t++) {
      const int64_t begin = rows * t / tiles, count = rows * (t + 1) / tiles - begin;
      const Tile one = wide ? tile_of<2>(count) : tile_of<1>(count);
      one(a + begin * lda, lda, packed + n * depth, depth, c + begin * ldc + n, ldc);
    }
  }
}

// Numbers of bfloat16 that are taken at a time, of the depth: rows have zeros behind the last.
#if defined(__AMX_BF16__)
constexpr int64_t HALF_STEP = 32;
#else
constexpr int64_t HALF_STEP = 2;
#endif

INLINE void zero_behind(uint16_t* row, int64_t depth) {
  for (int64_t i = depth; i < round_up(depth, HALF_STEP); i++) row[i] = 0;
}

// The same of bfloat16, two numbers of the depth at a time, with sums in float32. The
// packed matrix has them side by side, [depth / 2, width, 2] in the same place; behind an
// odd depth, both sides have a zero.
#if defined(__AVX512BF16__)
#define CONTCONV_HALF_PRODUCT 1

#if !defined(__AMX_BF16__)
template <int M, int NV>
static void half_tile(const uint16_t* a, int64_t lda, const float* b, int64_t depth, float* c,
                      int64_t ldc) {
  __m512 sum[M][NV];
  UNROLL
  for (int m = 0; m < M; m++)
    UNROLL
    for (int v = 0; v < NV; v++) sum[m][v] = _mm512_setzero_ps();
  for (int64_t k = 0; k < depth; k += 2, b += NV * V) {
    __m512bh right[NV];
    UNROLL
    for (int v = 0; v < NV; v++)
      right[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + v * V));
    UNROLL
    for (int m = 0; m < M; m++) {
      int32_t both;
      memcpy(&both, a + m * lda + k, 4);
      const __m512bh left = reinterpret_cast<__m512bh>(_mm512_set1_epi32(both));
      UNROLL
      for (int v = 0; v < NV; v++) sum[m][v] = _mm512_dpbf16_ps(sum[m][v], left, right[v]);
    }
  }
  UNROLL
  for (int m = 0; m < M; m++)
    UNROLL
    for (int v = 0; v < NV; v++) _mm512_storeu_ps(c + m * ldc + v * V, sum[m][v]);
}

typedef void (*HalfTile)(const uint16_t*, int64_t, const float*, int64_t, float*, int64_t);

template <int NV, int M = MR>
static HalfTile half_tile_of(int64_t rows) {
  if constexpr (M > 1) {
    return rows == M ? half_tile<M, NV> : half_tile_of<NV, M - 1>(rows);
  } else {
    return half_tile<1, NV>;
  }
}

static void multiply(const uint16_t* a, int64_t lda, int64_t rows, const float* packed,
                     int64_t depth, int64_t columns, float* c, int64_t ldc) {
  const int64_t tiles = (rows + MR - 1) / MR;
  for (int64_t n = 0; n < columns; n += 2 * V) {
    const bool wide = columns - n > V;
    for (int64_t t = 0; t < tiles; t++) {
      const int64_t begin = rows * t / tiles, count = rows * (t + 1) / tiles - begin;
      const HalfTile one = wide ? half_tile_of<2>(count) : half_tile_of<1>(count);
      one(a + begin * lda, lda, packed + n * depth, depth, c + begin * ldc + n, ldc);
    }
  }
}

#endif

// A panel of float32, in its own place.
static void halve_panel(float* panel, int64_t depth, int64_t width) {
  for (int64_t k = 0; k < depth; k += 2)
    for (int64_t j = 0; j < width; j += V) {
      const float *low = panel + k * width + j, *high = low + width;
      // The lower half of a number is the first of the two.
      const vu first = __builtin_convertvector(to_bfloat16(load(low)), vu);
      const vf other = k + 1 < depth ? load(high) : zero();
      const vu second = __builtin_convertvector(to_bfloat16(other), vu);
      store(panel + k / 2 * width + j, reinterpret_cast<vf>(first | second << 16));
    }
}
#else
#define CONTCONV_HALF_PRODUCT 0
#endif

}  // namespace contconv::CONTCONV_ISA
