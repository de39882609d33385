// The gradient of the head of a depthwise convolution: the rows of the image resampled
// along x, and multiplied with the row of the gradient whose window they are.
#pragma once
#include "call_backward.h"
#include "depthwise.h"

namespace contconv::CONTCONV_ISA {

template <class E>
class DepthwiseGradient {
 public:
  DepthwiseGradient(const DepthwiseSums& call, Arena& arena)
      : s(call),
        lanes(round_up(s.channels, V)),
        rows(call.image, call.channels, call.y, call.x, arena),
        pitch(rows.pitch) {
    grads = arena.take<float>(row_numbers(s.channels, s.x.out));
    y_near = arena.take<const float*>(s.y.taps);
    products = arena.take<float>(s.y.taps * V, s.x.rank);
    sums = arena.take<float>(s.y.rank * lanes, s.x.rank);
  }

  // All the sums of a part.
  void run(int64_t part) {
    memset(sums, 0, sizeof(float) * s.y.rank * pitch);
    const int64_t end = s.part_begin(part + 1);
    int64_t n = -1;
    for (int64_t row = s.part_begin(part); row < end; row++) {
      if (row / s.y.out != n) {
        n = row / s.y.out;
        grad = static_cast<const E*>(s.grad.data) + n * s.grad.n;
        rows.begin(n);
      }
      add_row(row % s.y.out);
    }
    float* to = s.sums + part * s.numbers();
    for (int64_t c = 0; c < s.channels; c++)
      for (int64_t r = 0; r < s.y.rank * s.x.rank; r++) *to++ = sums[r * lanes + c];
  }

 private:
  void add_row(int64_t oy) {
    const int64_t taps = tap_count(s.y, oy);
    for (int64_t t = 0; t < taps; t++) y_near[t] = rows.row_of(s.y.source[oy * s.y.taps + t], oy);
    const Pixels row = read_row(grad + oy * s.grad.y, s.grad.c, s.grad.x, s.channels, s.x.out, grads);
    const float* w = s.y.weight + oy * s.y.taps * s.y.rank;
    if (s.x.rank == 3 && taps == 3) {
      add<3, 3>(row, taps, w);
    } else if (s.x.rank == 3 && taps == 5) {
      add<3, 5>(row, taps, w);
    } else if (s.x.rank == 4 && taps == 4) {
      add<4, 4>(row, taps, w);
    } else {
      add<0, 0>(row, taps, w);
    }
  }

  // sums[a, r] += sum_t w[t, a] sum_x grad[x] row_t[x, r], the inner sums first; RX
  // functions of x at T taps of y, or any numbers if 0.
  template <int RX, int T>
  void add(Pixels row, int64_t taps, const float* w) {
    const int64_t ranks = RX ? RX : s.x.rank, near = T ? T : taps;
    for (int64_t c = 0; c < lanes; c += V) {
      if constexpr (RX > 0) {
        vf held[RX * T];
        UNROLL
        for (int i = 0; i < RX * T; i++) held[i] = zero();
        for (int64_t x = 0; x < s.x.out; x++) {
          const vf g = load(row.data + x * row.pitch + c);
          UNROLL
          for (int t = 0; t < T; t++)
            UNROLL
            for (int r = 0; r < RX; r++)
              held[t * RX + r] += g * load(y_near[t] + x * pitch + r * lanes + c);
        }
        UNROLL
        for (int i = 0; i < RX * T; i++) store(products + i * V, held[i]);
      } else {
        for (int64_t t = 0; t < near; t++)
          for (int64_t r = 0; r < ranks; r++) {
            vf sum = zero();
            for (int64_t x = 0; x < s.x.out; x++)
              sum += load(row.data + x * row.pitch + c) * load(y_near[t] + x * pitch + r * lanes + c);
            store(products + (t * ranks + r) * V, sum);
          }
      }
      for (int64_t a = 0; a < s.y.rank; a++)
        for (int64_t r = 0; r < ranks; r++) {
          float* to = sums + (a * ranks + r) * lanes + c;
          vf sum = load(to);
          for (int64_t t = 0; t < near; t++)
            sum += load(products + (t * ranks + r) * V) * w[t * s.y.rank + a];
          store(to, sum);
        }
    }
  }

  const DepthwiseSums& s;
  const int64_t lanes;
  DepthwiseRows<E> rows;
  const int64_t pitch;
  float *grads, *products, *sums;
  const float** y_near;
  const E* grad = nullptr;
};

}  // namespace contconv::CONTCONV_ISA
