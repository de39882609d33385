// Convolution with a table for each pixel where each channel is filtered by itself, and its
// gradients: the channels of a pixel in vectors, the head [rank, channels] as one more sum.
#pragma once
#include "pixelwise_gradients.h"

namespace contconv::CONTCONV_ISA {

// What all three do at a pixel: its moments, [rank, channels].
struct DepthwiseMoments {
  DepthwiseMoments(const NeighborTable& t, int64_t all, Arena& arena)
      : table(t), channels(all), lanes(round_up(all, V)), near(t, arena) {
    at = arena.take<float>(table.rank + 1, lanes);
  }

  void find(int64_t n, int64_t q, const float* image, int64_t step) {
    near.find(table, n, q, image, step);
    moments(near, table.rank, 0, channels, at);
  }
  vf of(int64_t r, int64_t c) const { return load(at + r * channels + c); }

  const NeighborTable& table;
  const int64_t channels, lanes;
  Near near;
  float* at;
};

template <class E>
class PixelwiseDepthwise {
 public:
  PixelwiseDepthwise(const Pixelwise& call, Arena& arena)
      : s(call), z(call.table, call.groups, arena) {
    row = {arena.take<float>(CHUNK_PIXELS + V, z.lanes), z.lanes};
  }

  void run(int64_t item) {
    const int64_t n = item % s.batch, chunk = item / s.batch;
    const int64_t begin = chunk * CHUNK_PIXELS, end = chunk_end(s.table.outputs, chunk);
    const float* head = static_cast<const float*>(s.head);
    for (int64_t q = begin; q < end; q++) {
      z.find(s.first + n, q, s.from.data + n * s.from.image, s.from.pixel);
      for (int64_t c = 0; c < z.lanes; c += V) {
        vf sum = zero();
        for (int64_t r = 0; r < s.table.rank; r++) sum += z.of(r, c) * load(head + r * z.lanes + c);
        store(row.data + (q - begin) * z.lanes + c, sum);
      }
    }
    E* out = reinterpret_cast<E*>(s.to.data) + n * s.to.image + begin * s.to.pixel;
    write_row(row, s.groups, end - begin, out, s.to.channel, s.to.pixel);
  }

 private:
  const Pixelwise& s;
  DepthwiseMoments z;
  Pixels row;
};

// Sums [part, rank, lanes]; items are parts.
class DepthwiseHeadGradient {
 public:
  DepthwiseHeadGradient(const PixelwiseHead& call, Arena& arena)
      : s(call), z(call.table, call.groups, arena) {}

  void run(int64_t part) {
    const int64_t rank = s.table.rank, outputs = s.table.outputs, all = s.batch * outputs;
    float* sums = s.sums + part * rank * z.lanes;
    if (!s.adds) memset(sums, 0, sizeof(float) * rank * z.lanes);
    for (int64_t at = part_of(all, part, s.parts); at < part_of(all, part + 1, s.parts); at++) {
      const int64_t n = at / outputs, q = at % outputs;
      z.find(s.first + n, q, s.from.data + n * s.from.image, s.from.pixel);
      const float* grad = s.grad.data + n * s.grad.image + q * s.grad.pixel;
      for (int64_t c = 0; c < z.lanes; c += V) {
        const vf one = load(grad + c);
        for (int64_t r = 0; r < rank; r++) {
          float* to = sums + r * z.lanes + c;
          store(to, load(to) + one * z.of(r, c));
        }
      }
    }
  }

 private:
  const PixelwiseHead& s;
  DepthwiseMoments z;
};

class DepthwiseTableGradient {
 public:
  DepthwiseTableGradient(const PixelwiseTable& call, Arena& arena)
      : s(call), lanes(round_up(call.groups, V)), near(call.table, arena) {
    mixed = arena.take<float>(s.table.rank, lanes);
  }

  void run(int64_t part) {
    float* sums = s.sums + part * s.numbers;
    const int64_t end = part_of(s.table.outputs, part + 1, s.parts);
    for (int64_t q = part_of(s.table.outputs, part, s.parts); q < end; q++)
      for (int64_t n = 0; n < s.batch; n++) add(q, n, sums);
  }

 private:
  void add(int64_t q, int64_t n, float* sums) {
    const float* head = static_cast<const float*>(s.head);
    const float* grad = s.grad.data + n * s.grad.image + q * s.grad.pixel;
    const int64_t rank = s.table.rank;
    for (int64_t r = 0; r < rank; r++)
      for (int64_t c = 0; c < lanes; c += V)
        store(mixed + r * lanes + c, load(grad + c) * load(head + r * lanes + c));
    near.find(s.table, s.first + n, q, s.from.data + n * s.from.image, s.from.pixel);
    const int64_t whole = s.groups / V * V;
    for (int64_t t = 0; t < near.count; t++)
      for (int64_t r = 0; r < rank; r++) {
        vf sum = zero();
        for (int64_t c = 0; c < whole; c += V)
          sum += load(near.pixel[t] + c) * load(mixed + r * lanes + c);
        // What lies behind the last channel may be no number.
        if (whole < s.groups)
          sum += load_first(near.pixel[t] + whole, s.groups - whole) *
                 load_first(mixed + r * lanes + whole, s.groups - whole);
        float total = 0;
        for (int i = 0; i < V; i++) total += sum[i];
        sums[near.weight[t] - s.table.weight + r] += total;
      }
  }

  const PixelwiseTable& s;
  const int64_t lanes;
  Near near;
  float* mixed;
};

}  // namespace contconv::CONTCONV_ISA
