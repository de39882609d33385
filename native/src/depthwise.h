// Separable convolution where each channel is filtered by itself: the channels of a pixel
// in vectors, x, y, and the head as one more sum. Of one channel in and out per group;
// `Separable` has them as the channels of one group.
#pragma once
#include "memory.h"
#include "rows.h"

namespace contconv::CONTCONV_ISA {

INLINE int64_t lanes_of(const Separable& s) { return round_up(s.in_channels, V); }

// head[channel, y, x] to [y, x, channel].
static void pack_depthwise(const Separable& s, const float* head, float* packed) {
  const int64_t rank = s.y.rank * s.x.rank, lanes = lanes_of(s);
  for (int64_t r = 0; r < rank; r++)
    for (int64_t c = 0; c < lanes; c++)
      packed[r * lanes + c] = c < s.in_channels ? head[c * rank + r] : 0;
}

// The rows of an image, each resampled along x once and held while windows need it:
// [pixel, x, channel].
template <class E>
class DepthwiseRows {
 public:
  DepthwiseRows(const Strided& image, int64_t channels, const Table& y, const Table& x, Arena& arena)
      : pitch(round_up(channels, V) * x.rank),
        from(image),
        x(x),
        channels(channels),
        cache(arena, y.taps, (x.out + 1) * pitch) {
    input = arena.take<float>(row_numbers(channels, x.in));
    near = arena.take<const float*>(x.taps);
  }

  // What follows is of image n.
  void begin(int64_t n) {
    image = static_cast<const E*>(from.data) + n * from.n;
    cache.clear();
  }

  const float* row_of(int64_t y, int64_t now) {
    bool is_new;
    float* to = cache.at(cache.find(y, now, is_new));
    if (!is_new) return to;
    const Pixels row = read_row(image + y * from.y, from.c, from.x, channels, x.in, input);
    for (int64_t ox = 0; ox < x.out; ox++) {
      const int64_t count = tap_count(x, ox), at = ox * x.taps;
      for (int64_t t = 0; t < count; t++) near[t] = row.data + x.source[at + t] * row.pitch;
      expand(near, count, x.weight + at * x.rank, x.rank, pitch / x.rank, 1, 0,
             Pixels{to + ox * pitch, pitch});
    }
    return to;
  }

  const int64_t pitch;

 private:
  const Strided& from;
  const Table& x;
  const int64_t channels;
  RowCache cache;
  float* input;
  const float** near;
  const E* image = nullptr;
};

template <class E>
class Depthwise {
 public:
  Depthwise(const Separable& call, Arena& arena)
      : s(call),
        lanes(lanes_of(call)),
        rows(call.image, call.in_channels, call.y, call.x, arena),
        pitch(rows.pitch) {
    y_near = arena.take<const float*>(s.y.taps);
    filter = arena.take<float>(s.y.taps * V, s.x.rank);
    out_row = {arena.take<float>(s.x.out + V, lanes), lanes};
  }

  // Work on one run of rows of an image.
  void run(int64_t task) {
    const int64_t band = task % s.bands, n = task / s.bands;
    E* out = static_cast<E*>(s.out.data) + n * s.out.n;
    rows.begin(n);
    const int64_t last = s.y.out * (band + 1) / s.bands;
    for (int64_t oy = s.y.out * band / s.bands; oy < last; oy++) {
      const int64_t taps = tap_count(s.y, oy);
      for (int64_t t = 0; t < taps; t++) y_near[t] = rows.row_of(s.y.source[oy * s.y.taps + t], oy);
      const float* w = s.y.weight + oy * s.y.taps * s.y.rank;
      if (s.x.rank == 3 && taps == 3) {
        finish<3, 3>(taps, w);
      } else if (s.x.rank == 1 && taps == 4) {
        finish<1, 4>(taps, w);
      } else if (s.x.rank == 4 && taps == 4) {
        finish<4, 4>(taps, w);
      } else {
        finish<0, 0>(taps, w);
      }
      write_row(out_row, s.in_channels, s.x.out, out + oy * s.out.y, s.out.c, s.out.x);
    }
  }

 private:
  // sum_t sum_x (sum_y w[t, y] head[y, x]) row_t[x], what is in brackets once for a row;
  // RX functions of x at T taps of y, or any numbers if 0.
  template <int RX, int T>
  void finish(int64_t taps, const float* w) {
    const float* head = static_cast<const float*>(s.head);
    const int64_t ranks = RX ? RX : s.x.rank, near = T ? T : taps;
    for (int64_t c = 0; c < lanes; c += V) {
      for (int64_t t = 0; t < near; t++)
        for (int64_t r = 0; r < ranks; r++) {
          vf sum = zero();
          for (int64_t a = 0; a < s.y.rank; a++)
            sum += load(head + (a * ranks + r) * lanes + c) * w[t * s.y.rank + a];
          store(filter + (t * ranks + r) * V, sum);
        }
      vf held[RX * T ? RX * T : 1];
      UNROLL
      for (int i = 0; i < RX * T; i++) held[i] = load(filter + i * V);
      for (int64_t x = 0; x < s.x.out; x++) {
        vf total = zero();
        UNROLL
        for (int t = 0; t < T; t++)
          UNROLL
          for (int r = 0; r < RX; r++)
            total += held[t * RX + r] * load(y_near[t] + x * pitch + r * lanes + c);
        for (int64_t t = 0; t < (T ? 0 : taps); t++)
          for (int64_t r = 0; r < ranks; r++)
            total += load(filter + (t * ranks + r) * V) *
                     load(y_near[t] + x * pitch + r * lanes + c);
        store(out_row.data + x * lanes + c, total);
      }
    }
  }

  const Separable& s;
  const int64_t lanes;
  DepthwiseRows<E> rows;
  const int64_t pitch;
  float* filter;
  const float** y_near;
  Pixels out_row;
};

}  // namespace contconv::CONTCONV_ISA
