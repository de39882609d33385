// The product of two matrices over their rows, added to earlier ones: the sums over pixels
// of one pixel's numbers times another's.
#pragma once
#include "matmul.h"

namespace contconv::CONTCONV_ISA {

// c[M, NV * V] += a[rows, M]^T b[rows, NV * V], summed from the first row to the last; what
// is in c does not count if this is the `first`.
template <int M, int NV>
static void outer_tile(const float* a, int64_t lda, const float* b, int64_t ldb, int64_t rows,
                       float* c, int64_t ldc, bool first) {
  vf sum[M][NV];
  UNROLL
  for (int m = 0; m < M; m++)
    UNROLL
    for (int v = 0; v < NV; v++) sum[m][v] = first ? zero() : load(c + m * ldc + v * V);
  for (int64_t q = 0; q < rows; q++) {
    vf right[NV];
    UNROLL
    for (int v = 0; v < NV; v++) right[v] = load(b + q * ldb + v * V);
    UNROLL
    for (int m = 0; m < M; m++) {
      const vf left = splat(a[q * lda + m]);
      UNROLL
      for (int v = 0; v < NV; v++) sum[m][v] += left * right[v];
    }
  }
  UNROLL
  for (int m = 0; m < M; m++)
    UNROLL
    for (int v = 0; v < NV; v++) store(c + m * ldc + v * V, sum[m][v]);
}

typedef void (*OuterTile)(const float*, int64_t, const float*, int64_t, int64_t, float*,
                          int64_t, bool);

template <int NV, int M = MR>
static OuterTile outer_tile_of(int64_t depth) {
  if constexpr (M > 1) {
    return depth == M ? outer_tile<M, NV> : outer_tile_of<NV, M - 1>(depth);
  } else {
    return outer_tile<1, NV>;
  }
}

// c[depth, columns] += a[rows, depth]^T b[rows, columns], the columns whole vectors.
static void add_outer(const float* a, int64_t lda, const float* b, int64_t ldb, int64_t rows,
                      int64_t depth, int64_t columns, float* c, int64_t ldc, bool first) {
  const int64_t tiles = (depth + MR - 1) / MR;
  for (int64_t t = 0; t < tiles; t++) {
    const int64_t begin = depth * t / tiles, count = depth * (t + 1) / tiles - begin;
    for (int64_t n = 0; n < columns; n += 2 * V) {
      const OuterTile one = columns - n > V ? outer_tile_of<2>(count) : outer_tile_of<1>(count);
      one(a + begin, lda, b + n, ldb, rows, c + begin * ldc + n, ldc, first);
    }
  }
}

}  // namespace contconv::CONTCONV_ISA
