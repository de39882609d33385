// What a backward pass is made of, beside `Separable`: plain data.
#pragma once
#include "call.h"

namespace contconv {

// Sums over all pixels q of `to`: from'[q, r, i] to[q, j], where from' is `from` resampled
// to the pixels of `to`: the gradient of the head. It is worked on in items that depend on
// the sizes alone, never on the number of threads: (group, part, block), where a part is a
// run of the rows of `to`, and a block some channels of `from`.
struct HeadSums {
  Strided from, to;
  Type type;
  int64_t batch, groups;
  int64_t from_channels, to_channels;  // of a group
  Table z, y, x;
  int64_t parts, blocks, block;  // channels in a block, the last may have less
  int64_t segments, segment;     // runs of pixels along x, and the pixels in each
  int64_t columns;               // of the sums: to_channels and what fills the vectors
  float* sums;                   // [groups, parts, from_channels rank, columns]

  ALWAYS_INLINE int64_t rank() const { return z.rank * y.rank * x.rank; }
  ALWAYS_INLINE int64_t items() const { return groups * parts * blocks; }
  ALWAYS_INLINE int64_t rows() const { return batch * z.out * segments * y.out; }
  ALWAYS_INLINE int64_t group_numbers() const { return from_channels * rank() * columns; }
};

// The gradient of the head where each channel is filtered by itself: parts are runs of the
// rows of all outputs.
struct DepthwiseSums {
  Strided image, grad;
  Type type;
  int64_t batch, channels;
  Table y, x;
  int64_t parts;
  float* sums;  // [parts, channels, y.rank, x.rank]

  ALWAYS_INLINE int64_t rows() const { return batch * y.out; }
  ALWAYS_INLINE int64_t numbers() const { return channels * y.rank * x.rank; }
  ALWAYS_INLINE int64_t part_begin(int64_t part) const {
    return static_cast<int64_t>(static_cast<__int128>(rows()) * part / parts);
  }
};

// The gradients of the weights of the tables. Items are parts: runs of the rows of the
// output of all groups.
struct TableSums {
  Strided image, grad;
  Type type;
  int64_t batch, groups;
  int64_t in_channels, out_channels;  // of a group
  Table z, y, x;
  const void* head;  // of the product of `contract` with the channels exchanged
  int64_t head_bytes;
  bool wants_z, wants_y, wants_x;
  int64_t parts;
  float* sums;  // [parts, those of z, y and x]

  ALWAYS_INLINE int64_t rows() const { return batch * groups * z.out * y.out; }
  ALWAYS_INLINE int64_t numbers() const {
    return z.out * z.taps * z.rank + y.out * y.taps * y.rank + x.out * x.taps * x.rank;
  }
};

}  // namespace contconv
