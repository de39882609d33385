// One axis resampled, at pixels whose channels lie together.
//
// `expand` gains the basis of the axis, `contract` spends it:
//
//   expand    to[q, r, i] = sum_t w[t, r] from[t][q, i]
//   contract  to[q, i]    = sum_t sum_r w[t, r] from[t][q, r, i]
//
// for `count` pixels q that share the weights. Along y, they are those of a row, and
// from[t] are rows; along x there is one, and from[t] are pixels of a row. The sums run
// from the first to the last tap.
//
// Pixels are written V numbers at a time: up to V - 1 numbers behind the last are
// overwritten, and as many are read behind the last of `from`. What stands there never
// counts: of `to`, it is the next pixel, before it is written itself; unless the rank is
// above MAX_RANK, when the pitch has to leave room for them.
#pragma once
#include "simd.h"

namespace contconv::CONTCONV_ISA {

constexpr int MAX_RANK = 4;

// Pixels, where `inner` numbers lie together, each `pitch` numbers after the last.
template <class T>
struct PixelsOf {
  T* data;
  int64_t pitch;
};
typedef PixelsOf<float> Pixels;

// R functions of the `rank` of the axis; T taps, or `taps` if T is 0.
template <int R, int T, class N>
static void expand_some(const float* const* from, int64_t taps, const float* w, int64_t rank,
                        int64_t inner, int64_t count, int64_t from_pitch, PixelsOf<N> to) {
  vf weight[T ? T * R : 1];
  UNROLL
  for (int t = 0; t < T; t++)
    UNROLL
    for (int r = 0; r < R; r++) weight[t * R + r] = splat(w[t * rank + r]);
  for (int64_t q = 0; q < count; q++) {
    const int64_t at = q * from_pitch;
    N* out = to.data + q * to.pitch;
    const auto at_lanes = [&](int64_t i) __attribute__((always_inline)) {
      vf sum[R];
      UNROLL
      for (int r = 0; r < R; r++) sum[r] = zero();
      UNROLL
      for (int t = 0; t < T; t++) {
        const vf value = load(from[t] + at + i);
        UNROLL
        for (int r = 0; r < R; r++)
          sum[r] = t ? sum[r] + value * weight[t * R + r] : value * weight[r];
      }
      for (int64_t t = 0; t < (T ? 0 : taps); t++) {
        const vf value = load(from[t] + at + i);
        UNROLL
        for (int r = 0; r < R; r++) sum[r] += value * w[t * rank + r];
      }
      UNROLL
      for (int r = 0; r < R; r++) store(out + r * inner + i, sum[r]);
    };
    // The last, partial vector first: what it writes too much is written again.
    const int64_t whole = inner / V * V;
    if (whole < inner) at_lanes(whole);
    for (int64_t i = 0; i < whole; i += V) at_lanes(i);
  }
}

// T taps of R functions, or any numbers of both if they are 0.
template <int R, int T>
static void contract_all(const float* const* from, int64_t taps, const float* w, int64_t rank,
                         int64_t inner, int64_t count, int64_t from_pitch, Pixels to) {
  vf weight[T ? T * R : 1];
  UNROLL
  for (int t = 0; t < T * R; t++) weight[t] = splat(w[t]);
  for (int64_t q = 0; q < count; q++) {
    const int64_t at = q * from_pitch;
    float* out = to.data + q * to.pitch;
    for (int64_t i = 0; i < inner; i += V) {
      vf sum = zero();
      UNROLL
      for (int t = 0; t < T; t++)
        UNROLL
        for (int r = 0; r < R; r++) {
          const vf value = load(from[t] + at + r * inner + i);
          sum = t + r ? sum + value * weight[t * R + r] : value * weight[0];
        }
      for (int64_t t = 0; t < (T ? 0 : taps); t++)
        for (int64_t r = 0; r < rank; r++)
          sum += load(from[t] + at + r * inner + i) * w[t * rank + r];
      store(out + i, sum);
    }
  }
}

template <class N>
using Resample = void (*)(const float* const*, int64_t, const float*, int64_t, int64_t, int64_t,
                          int64_t, PixelsOf<N>);

template <int R, class N>
static Resample<N> expand_of(int64_t taps) {
  switch (taps) {
    case 1: return expand_some<R, 1, N>;
    case 2: return expand_some<R, 2, N>;
    case 3: return expand_some<R, 3, N>;
    case 4: return expand_some<R, 4, N>;
    case 5: return expand_some<R, 5, N>;
    default: return expand_some<R, 0, N>;
  }
}

template <class N>
static Resample<N> expand_of(int64_t rank, int64_t taps) {
  switch (rank) {
    case 1: return expand_of<1, N>(taps);
    case 2: return expand_of<2, N>(taps);
    case 3: return expand_of<3, N>(taps);
    default: return expand_of<4, N>(taps);
  }
}

template <int R>
static Resample<float> contract_of(int64_t taps) {
  switch (taps) {
    case 1: return contract_all<R, 1>;
    case 2: return contract_all<R, 2>;
    case 3: return contract_all<R, 3>;
    case 4: return contract_all<R, 4>;
    case 5: return contract_all<R, 5>;
    default: return contract_all<0, 0>;
  }
}

static Resample<float> contract_of(int64_t rank, int64_t taps) {
  switch (rank) {
    case 1: return contract_of<1>(taps);
    case 2: return contract_of<2>(taps);
    case 3: return contract_of<3>(taps);
    case 4: return contract_of<4>(taps);
    default: return contract_all<0, 0>;
  }
}

// N are float, or what is rounded to bfloat16.
template <class N>
static void expand(const float* const* from, int64_t taps, const float* w, int64_t rank,
                   int64_t inner, int64_t count, int64_t from_pitch, PixelsOf<N> to) {
  for (int64_t r = 0; r < rank; r += MAX_RANK) {
    const int64_t some = smaller(rank - r, MAX_RANK);
    const PixelsOf<N> part{to.data + r * inner, to.pitch};
    expand_of<N>(some, taps)(from, taps, w + r, rank, inner, count, from_pitch, part);
  }
}

static void contract(const float* const* from, int64_t taps, const float* w, int64_t rank,
                     int64_t inner, int64_t count, int64_t from_pitch, Pixels to) {
  contract_of(rank, taps)(from, taps, w, rank, inner, count, from_pitch, to);
}

}  // namespace contconv::CONTCONV_ISA
