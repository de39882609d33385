// Square blocks of V x V numbers, transposed in registers.
#pragma once
#include "simd.h"

namespace contconv::CONTCONV_ISA {

// The lanes of two vectors by turns: of their lower, or their upper halves.
INLINE vf turns_low(vf a, vf b) {
#if defined(__AVX512F__)
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif defined(__AVX__)
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}

INLINE vf turns_high(vf a, vf b) {
#if defined(__AVX512F__)
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif defined(__AVX__)
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

INLINE vf even_lanes(vf a, vf b) {
#if defined(__AVX512F__)
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif defined(__AVX__)
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
#else
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#endif
}

INLINE vf odd_lanes(vf a, vf b) {
#if defined(__AVX512F__)
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif defined(__AVX__)
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#else
  return __builtin_shufflevector(a, b, 1, 3, 5, 7);
#endif
}

// Numbers [N, V] become [V, N], over the same vectors. Each pass moves one bit of a lane's
// place from the number of the vector to the lane, and one back.
template <int N>
INLINE void interleave(vf (&r)[N]) {
  UNROLL
  for (int bit = 1; bit < N; bit *= 2) {
    vf t[N];
    UNROLL
    for (int i = 0; i < N / 2; i++) {
      t[2 * i] = turns_low(r[i], r[i + N / 2]);
      t[2 * i + 1] = turns_high(r[i], r[i + N / 2]);
    }
    UNROLL
    for (int i = 0; i < N; i++) r[i] = t[i];
  }
}

// The other way round: [V, N] become [N, V].
template <int N>
INLINE void separate(vf (&r)[N]) {
  UNROLL
  for (int bit = 1; bit < N; bit *= 2) {
    vf t[N];
    UNROLL
    for (int i = 0; i < N / 2; i++) {
      t[i] = even_lanes(r[2 * i], r[2 * i + 1]);
      t[i + N / 2] = odd_lanes(r[2 * i], r[2 * i + 1]);
    }
    UNROLL
    for (int i = 0; i < N; i++) r[i] = t[i];
  }
}

INLINE void transpose(vf (&r)[V]) { interleave<V>(r); }

}  // namespace contconv::CONTCONV_ISA
