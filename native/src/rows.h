// Rows of images, read into pixels whose channels lie together, and written from them.
#pragma once
#include "resample.h"
#include "transpose.h"

namespace contconv::CONTCONV_ISA {

// Numbers that a buffer for `read_row` has.
INLINE int64_t row_numbers(int64_t channels, int64_t width) {
  return (width + V) * round_up(channels, V);
}

// A row in channels-first format: blocks of V channels and V pixels are transposed.
template <class E>
static void read_planes(const E* from, int64_t channel_stride, int64_t channels, int64_t width,
                        Pixels to) {
  for (int64_t c = 0; c < channels; c += V) {
    const int64_t present = smaller(V, channels - c);
    for (int64_t x = 0; x < width; x += V) {
      const E* p = from + c * channel_stride + x;
      vf block[V];
      if (present == V && width - x >= V) {
        UNROLL
        for (int i = 0; i < V; i++) block[i] = load(p + i * channel_stride);
      } else if (present == V) {
        UNROLL
        for (int i = 0; i < V; i++) block[i] = load_first(p + i * channel_stride, width - x);
      } else {
        for (int64_t i = 0; i < V; i++) {
          const E* one = p + i * channel_stride;
          block[i] = i >= present ? zero() : width - x >= V ? load(one) : load_first(one, width - x);
        }
      }
      // The next row, where it lies right behind this one.
      UNROLL
      for (int i = 0; i < V; i++) __builtin_prefetch(p + i * channel_stride + width, 0, 2);
      transpose(block);
      float* out = to.data + x * to.pitch + c;
      UNROLL
      for (int i = 0; i < V; i++) store(out + i * to.pitch, block[i]);
    }
  }
}

// A row of pixels, in `buffer` or where it lies; the channels are followed by V - 1
// numbers that may be read.
template <class E>
static Pixels read_row(const E* from, int64_t channel_stride, int64_t x_stride,
                       int64_t channels, int64_t width, float* buffer) {
  if constexpr (sizeof(E) == 4)
    if (channel_stride == 1 && channels % V == 0)
      return {const_cast<float*>(from), x_stride};
  const Pixels row{buffer, round_up(channels, V)};
  if (x_stride == 1) {
    read_planes(from, channel_stride, channels, width, row);
  } else if (channel_stride == 1) {
    for (int64_t x = 0; x < width; x++) {
      const E* p = from + x * x_stride;
      float* out = buffer + x * row.pitch;
      int64_t c = 0;
      for (; c + V <= channels; c += V) store(out + c, load(p + c));
      if (c < channels) store(out + c, load_first(p + c, channels - c));
    }
  } else {
    for (int64_t x = 0; x < width; x++)
      for (int64_t c = 0; c < channels; c++)
        buffer[x * row.pitch + c] = widen(from[x * x_stride + c * channel_stride]);
  }
  return row;
}

// Write a row of pixels; `from` has V - 1 pixels more that may be read.
template <class E>
static void write_row(Pixels from, int64_t channels, int64_t width, E* to,
                      int64_t channel_stride, int64_t x_stride) {
  if (channel_stride == 1) {
    for (int64_t x = 0; x < width; x++) {
      const float* p = from.data + x * from.pitch;
      E* out = to + x * x_stride;
      int64_t c = 0;
      for (; c + V <= channels; c += V) store(out + c, load(p + c));
      if (c < channels) store_first(out + c, load(p + c), channels - c);
    }
    return;
  }
  for (int64_t c = 0; c < channels; c += V) {
    const int64_t present = smaller(V, channels - c);
    for (int64_t x = 0; x < width; x += V) {
      vf block[V];
      const float* p = from.data + x * from.pitch + c;
      UNROLL
      for (int i = 0; i < V; i++) block[i] = load(p + i * from.pitch);
      transpose(block);
      E* out = to + c * channel_stride + x;
      if (present == V && width - x >= V) {
        UNROLL
        for (int i = 0; i < V; i++) store(out + i * channel_stride, block[i]);
      } else if (present == V) {
        UNROLL
        for (int i = 0; i < V; i++) store_first(out + i * channel_stride, block[i], width - x);
      } else {
        for (int64_t i = 0; i < present; i++) {
          if (width - x >= V)
            store(out + i * channel_stride, block[i]);
          else
            store_first(out + i * channel_stride, block[i], width - x);
        }
      }
      UNROLL
      for (int i = 0; i < V; i++) __builtin_prefetch(out + i * channel_stride + width, 1, 2);
    }
  }
}

}  // namespace contconv::CONTCONV_ISA
