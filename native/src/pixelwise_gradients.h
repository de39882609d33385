// The gradients of a convolution with a table for each pixel: of the head and the table.
// That of the image is the convolution itself, with the neighbors the other way round.
#pragma once
#include "head_gradient.h"
#include "pixelwise.h"

namespace contconv::CONTCONV_ISA {

INLINE int64_t part_of(int64_t all, int64_t part, int64_t parts) {
  return static_cast<int64_t>(static_cast<__int128>(all) * part / parts);
}

class PixelwiseHeadGradient {
 public:
  PixelwiseHeadGradient(const PixelwiseHead& call, Arena& arena)
      : s(call), pitch(round_up(call.table.rank * call.block, V) + V), near(call.table, arena) {
    tile_pixels = larger(32, smaller(128, OUTER_NUMBERS / pitch));
    tile = arena.take<float>(tile_pixels + 1, pitch);
  }

  void run(int64_t item) {
    const int64_t block = item % s.blocks, part = item / s.blocks % s.parts;
    const int64_t group = item / s.blocks / s.parts;
    const int64_t begin = block * s.block, rank = s.table.rank;
    const int64_t channels = smaller(s.block, s.in_channels - begin);
    float* sums = s.sums + (group * s.parts + part) * s.group_numbers() + begin * rank * s.columns;
    bool first = !s.adds;
    const int64_t outputs = s.table.outputs, all = s.batch * outputs;
    const int64_t end = part_of(all, part + 1, s.parts);
    for (int64_t at = part_of(all, part, s.parts); at < end;) {
      const int64_t n = at / outputs, q = at % outputs;
      const int64_t count = smaller(smaller(tile_pixels, end - at), outputs - q);
      const float* image = s.from.data + n * s.from.image;
      for (int64_t i = 0; i < count; i++) {
        near.find(s.table, s.first + n, q + i, image, s.from.pixel);
        const int64_t channel = group * s.in_channels + begin;
        if (s.by_rank)
          moments_by_rank(near, rank, s.from.channel, channel, channels, tile + i * pitch);
        else
          moments(near, rank, channel, channels, tile + i * pitch);
      }
      const float* grad = s.grad.data + n * s.grad.image + q * s.grad.pixel +
                          group * s.out_channels;
      add_outer(tile, pitch, grad, s.grad.pixel, count, channels * rank, s.columns, sums,
                s.columns, first);
      first = false;
      at += count;
    }
    if (first) memset(sums, 0, sizeof(float) * channels * rank * s.columns);
  }

 private:
  const PixelwiseHead& s;
  const int64_t pitch;
  Near near;
  int64_t tile_pixels;
  float* tile;
};

class PixelwiseTableGradient {
 public:
  PixelwiseTableGradient(const PixelwiseTable& call, Arena& arena)
      : s(call),
        columns(call.in_channels * call.table.rank),
        pitch(packed_columns(columns) + V),
        near(call.table, arena) {
    // The gradient of the moments, [channel, rank].
    tile = arena.take<float>(MR + 1, pitch);
  }

  // Of a pixel's outputs in all images, so that their sums are one thread's.
  void run(int64_t part) {
    float* sums = s.sums + part * s.numbers;
    const int64_t end = part_of(s.table.outputs, part + 1, s.parts);
    for (int64_t q = part_of(s.table.outputs, part, s.parts); q < end; q += MR)
      for (int64_t n = 0; n < s.batch; n++)
        for (int64_t group = 0; group < s.groups; group++)
          add(q, smaller(MR, end - q), n, group, sums);
  }

 private:
  void add(int64_t q, int64_t count, int64_t n, int64_t group, float* sums) {
    const float* head = reinterpret_cast<const float*>(static_cast<const char*>(s.head) +
                                                       group * s.head_bytes);
    const float* grad = s.grad.data + n * s.grad.image + q * s.grad.pixel +
                        group * s.out_channels;
    multiply(grad, s.grad.pixel, count, head, s.out_channels, columns, tile, pitch);
    const float* image = s.from.data + n * s.from.image + group * s.in_channels;
    for (int64_t i = 0; i < count; i++) {
      near.find(s.table, s.first + n, q + i, image, s.from.pixel);
      int64_t t = 0;
      for (; t + 4 <= near.count; t += 4) add_taps<4>(t, tile + i * pitch, sums);
      for (; t < near.count; t++) add_taps<1>(t, tile + i * pitch, sums);
    }
  }

  template <int T>
  ALWAYS_INLINE void add_taps(int64_t t, const float* moments, float* sums) {
    const int64_t rank = s.table.rank;
    for (int64_t r = 0; r < rank; r += V) {
      vf sum[T];
      UNROLL
      for (int k = 0; k < T; k++) sum[k] = zero();
      for (int64_t c = 0; c < s.in_channels; c++) {
        const vf one = load(moments + c * rank + r);
        UNROLL
        for (int k = 0; k < T; k++) sum[k] += one * near.pixel[t + k][c];
      }
      UNROLL
      for (int k = 0; k < T; k++) {
        float* to = sums + (near.weight[t + k] - s.table.weight) + r;
        if (rank - r >= V)
          store(to, load(to) + sum[k]);
        else
          store_first(to, load_first(to, rank - r) + sum[k], rank - r);
      }
    }
  }

  const PixelwiseTable& s;
  const int64_t columns, pitch;
  Near near;
  float* tile;
};

}  // namespace contconv::CONTCONV_ISA
