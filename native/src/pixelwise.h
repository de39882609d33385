// Convolution with a table for each pixel: the moments of some pixels, then the product
// with the head, while they are in the first cache.
#pragma once
#include "forward.h"
#include "moments.h"

namespace contconv::CONTCONV_ISA {

INLINE int64_t chunk_end(int64_t outputs, int64_t chunk) {
  return smaller(outputs, (chunk + 1) * CHUNK_PIXELS);
}

// Rows of an image, made float32: their pixels beside each other, or their channels.
template <class E>
class StagedRows {
 public:
  StagedRows(const Staging& staging, Arena& arena) : s(staging) {
    if (s.to.channel == 1) buffer = arena.take<float>(row_numbers(s.channels, s.x));
  }

  void run(int64_t item) {
    const int64_t y = item % s.y, z = item / s.y % s.z, n = item / s.y / s.z;
    const E* from = static_cast<const E*>(s.image.data) + n * s.image.n + z * s.image.z +
                    y * s.image.y;
    float* to = s.to.data + n * s.to.image + (z * s.y + y) * s.x * s.to.pixel;
    if (s.to.channel != 1) {
      for (int64_t c = 0; c < s.channels; c++)
        for (int64_t x = 0; x < s.x; x++)
          to[c * s.to.channel + x] = widen(from[c * s.image.c + x * s.image.x]);
      return;
    }
    const Pixels row = read_row(from, s.image.c, s.image.x, s.channels, s.x, buffer);
    for (int64_t x = 0; x < s.x; x++)
      memcpy(to + x * s.to.pixel, row.data + x * row.pitch, sizeof(float) * s.channels);
  }

 private:
  const Staging& s;
  float* buffer = nullptr;
};

template <class E>
class PixelwiseForward {
 public:
  PixelwiseForward(const Pixelwise& call, Arena& arena)
      : s(call),
        depth(call.in_channels * call.table.rank),
        pitch(round_up(depth, V) + V),
        near(call.table, arena) {
    const int64_t tiles = larger(1, TILE_NUMBERS / pitch / MR);
    tile_pixels = smaller(tiles * MR, CHUNK_PIXELS);
    tile = arena.take<float>(tile_pixels, pitch);
    row = {arena.take<float>(CHUNK_PIXELS + V, packed_columns(s.out_channels)),
           packed_columns(s.out_channels)};
  }

  void run(int64_t item) {
    const int64_t group = item % s.groups, n = item / s.groups % s.batch;
    const int64_t chunk = item / s.groups / s.batch;
    const int64_t begin = chunk * CHUNK_PIXELS, end = chunk_end(s.table.outputs, chunk);
    const float* head = reinterpret_cast<const float*>(static_cast<const char*>(s.head) +
                                                       group * s.head_bytes);
    const float* image = s.from.data + n * s.from.image;
    const int64_t channel = group * s.in_channels, rank = s.table.rank;
    for (int64_t q = begin; q < end; q += tile_pixels) {
      const int64_t count = smaller(tile_pixels, end - q);
      for (int64_t i = 0; i < count; i++) {
        near.find(s.table, s.first + n, q + i, image, s.from.pixel);
        float* out = tile + i * pitch;
        if (s.by_rank)
          moments_by_rank(near, rank, s.from.channel, channel, s.in_channels, out);
        else
          moments(near, rank, channel, s.in_channels, out);
      }
      multiply(tile, pitch, count, head, depth, s.out_channels,
               row.data + (q - begin) * row.pitch, row.pitch);
    }
    E* out = reinterpret_cast<E*>(s.to.data) + n * s.to.image +
             group * s.out_channels * s.to.channel + begin * s.to.pixel;
    write_row(row, s.out_channels, end - begin, out, s.to.channel, s.to.pixel);
  }

 private:
  const Pixelwise& s;
  const int64_t depth, pitch;
  Near near;
  int64_t tile_pixels;
  float* tile;
  Pixels row;
};

}  // namespace contconv::CONTCONV_ISA
