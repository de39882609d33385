// The moments of a pixel: its neighbors, weighted by each function of the basis.
//
//   Z[r, c] = sum_t weight[t][r] near[t][c]
//
// in vectors of channels, or of functions where those fill them better; the sums run from
// the first to the last tap. As in resample.h, up to V - 1 numbers behind the last are
// overwritten.
#pragma once
#include "call_pixelwise.h"
#include "memory.h"
#include "rows.h"

namespace contconv::CONTCONV_ISA {

// The taps of an output that count: where their pixels are, and their weights.
struct Near {
  const float** pixel;
  const float** weight;
  int64_t count = 0;

  Near(const NeighborTable& t, Arena& arena)
      : pixel(arena.take<const float*>(t.most)), weight(arena.take<const float*>(t.most)) {}

  // Of output q of image n; the field's image begins at `data`.
  void find(const NeighborTable& t, int64_t n, int64_t q, const float* data, int64_t step) {
    count = 0;
    const int64_t own = t.each ? n * t.outputs + q : q;
    if (t.begin) {
      for (int64_t i = t.begin[own]; i < t.begin[own + 1]; i++)
        add(data + t.pixel[i] * step, t.weight + t.place[i] * t.rank);
      return;
    }
    const int64_t ox = t.each ? own : q % t.x.out, row = t.each ? 0 : q / t.x.out;
    const int64_t oy = row % t.y.out, oz = row / t.y.out;
    const int64_t phase =
        (phase_of(t.z, oz) * t.y.phases + phase_of(t.y, oy)) * t.x.phases + phase_of(t.x, ox);
    const float* w = t.weight + phase * t.taps * t.rank;
    const int32_t* x = t.x.source + ox * t.x.taps;
    for (int64_t i = 0; i < t.z.taps; i++)
      for (int64_t j = 0; j < t.y.taps; j++) {
        const int64_t z = t.z.source[oz * t.z.taps + i], y = t.y.source[oy * t.y.taps + j];
        if (z >= 0 && y >= 0) {
          const float* line = data + (z * t.y.in + y) * t.x.in * step;
          for (int64_t k = 0; k < t.x.taps; k++)
            if (x[k] >= 0) add(line + x[k] * step, w + k * t.rank);
        }
        w += t.x.taps * t.rank;
      }
  }

 private:
  static int64_t phase_of(const Neighbors& axis, int64_t out) {
    return axis.phase ? axis.phase[out] : out;
  }
  void add(const float* at, const float* w) { pixel[count] = at, weight[count++] = w; }
};

constexpr int MOST_SUMS = 8;

// R functions from the r-th on, NV vectors of channels at a time, from i on.
template <int R, int NV>
INLINE void moments_at(const Near& near, int64_t r, int64_t channel, int64_t inner, int64_t i,
                       float* out) {
  vf sum[R][NV];
  UNROLL
  for (int k = 0; k < R; k++)
    UNROLL
    for (int v = 0; v < NV; v++) sum[k][v] = zero();
  for (int64_t t = 0; t < near.count; t++) {
    const float *from = near.pixel[t] + channel + i, *w = near.weight[t] + r;
    UNROLL
    for (int v = 0; v < NV; v++) {
      const vf value = load(from + v * V);
      UNROLL
      for (int k = 0; k < R; k++) sum[k][v] += value * w[k];
    }
  }
  UNROLL
  for (int k = 0; k < R; k++)
    UNROLL
    for (int v = 0; v < NV; v++) store(out + (r + k) * inner + i + v * V, sum[k][v]);
}

template <int R>
static void moments_some(const Near& near, int64_t r, int64_t channel, int64_t inner,
                         float* out) {
  constexpr int NV = R > 4 ? 1 : R > 2 ? 2 : 4;
  // The last, partial vector first: what it writes too much is written again.
  const int64_t whole = inner / V * V;
  if (whole < inner) moments_at<R, 1>(near, r, channel, inner, whole, out);
  int64_t i = 0;
  for (; i + NV * V <= whole; i += NV * V) moments_at<R, NV>(near, r, channel, inner, i, out);
  for (; i < whole; i += V) moments_at<R, 1>(near, r, channel, inner, i, out);
}

typedef void (*Moments)(const Near&, int64_t, int64_t, int64_t, float*);

template <int R = MOST_SUMS>
static Moments moments_of(int64_t functions) {
  if constexpr (R > 1) {
    return functions == R ? moments_some<R> : moments_of<R - 1>(functions);
  } else {
    return moments_some<1>;
  }
}

// Z[rank, inner], of the channels from `channel` on.
static void moments(const Near& near, int64_t rank, int64_t channel, int64_t inner, float* out) {
  const int64_t parts = (rank + MOST_SUMS - 1) / MOST_SUMS;
  for (int64_t p = 0; p < parts; p++) {
    const int64_t begin = rank * p / parts, some = rank * (p + 1) / parts - begin;
    moments_of(some)(near, begin, channel, inner, out);
  }
}

// C channels, each `plane` numbers after the last, and a vector of functions from r on.
template <int C>
INLINE void functions_at(const Near& near, int64_t rank, int64_t plane, int64_t channel,
                         int64_t r, float* out) {
  const int64_t left = rank - r;
  vf sum[C];
  UNROLL
  for (int c = 0; c < C; c++) sum[c] = zero();
  for (int64_t t = 0; t < near.count; t++) {
    const float *w = near.weight[t] + r, *from = near.pixel[t] + channel * plane;
    const vf weight = left >= V ? load(w) : load_first(w, left);
    UNROLL
    for (int c = 0; c < C; c++) sum[c] += weight * from[c * plane];
  }
  UNROLL
  for (int c = 0; c < C; c++) {
    float* to = out + c * rank + r;
    if (left >= V)
      store(to, sum[c]);
    else
      store_first(to, sum[c], left);
  }
}

// Z[channels, rank], in vectors of functions.
static void moments_by_rank(const Near& near, int64_t rank, int64_t plane, int64_t channel,
                            int64_t channels, float* out) {
  for (int64_t r = 0; r < rank; r += V) {
    int64_t c = 0;
    for (; c + 4 <= channels; c += 4)
      functions_at<4>(near, rank, plane, channel + c, r, out + c * rank);
    for (; c < channels; c++)
      functions_at<1>(near, rank, plane, channel + c, r, out + c * rank);
  }
}

}  // namespace contconv::CONTCONV_ISA
