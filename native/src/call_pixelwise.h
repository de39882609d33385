// What a convolution with a table for each pixel is made of: of a basis that is no product
// over the axes, or at any points. Plain data.
#pragma once
#include "call.h"

namespace contconv {

// The input pixels under the kernel, along one axis; or of all pixels, flattened, as the
// only axis.
struct Neighbors {
  const int32_t* source;  // [out, taps]; -1 does not count
  const int32_t* phase;   // [out], which part of the table; nullptr: each has its own
  int64_t in, out, taps, phases;
};

// The taps of every output: by axes, or one after the other.
struct NeighborTable {
  Neighbors z, y, x;
  bool each;            // another table for each image; then x is the only axis
  const float* weight;  // [z, y and x phases, z, y and x taps, rank]: the basis times what a tap counts
  int64_t taps, rank;
  int64_t most;  // taps of any output
  int64_t outputs;
  // One after the other, where `begin` is there: [outputs + 1], for each image if `each`.
  const int64_t* begin;
  const int32_t* pixel;
  const int64_t* place;  // of its weights: the row of the table, times taps, and the tap
};

// Float32 numbers: channel c of pixel q of image n, at n * image + q * pixel + c * channel.
struct Field {
  float* data;
  int64_t image, pixel, channel;
};

// An image made a field. Items are rows.
struct Staging {
  Strided image;
  Type type;
  int64_t batch, channels, z, y, x;
  Field to;

  ALWAYS_INLINE int64_t rows() const { return batch * z * y; }
};

constexpr int64_t CHUNK_PIXELS = 8 * 14;  // of an item: whole tiles, whole lines of the output

// Items are (chunk of outputs, image, group).
struct Pixelwise {
  NeighborTable table;
  Field from;
  Field to;   // of `type`; data in its numbers
  Type type;
  int64_t first;  // the image of the batch that the fields begin with
  int64_t batch, groups, in_channels, out_channels;  // images in the fields; of a group
  bool depthwise;  // groups of one channel, in vectors; then the head is [rank, channels]
  bool by_rank;    // vectors of basis functions, not of channels
  const void* head;
  int64_t head_bytes;
  int64_t chunks;

  ALWAYS_INLINE int64_t items() const { return chunks * batch * (depthwise ? 1 : groups); }
};

// Sums over outputs of the moments times the gradient: that of the head. Items are (group,
// part, block of channels).
struct PixelwiseHead {
  NeighborTable table;
  Field from, grad;  // of grad, the channels lie together
  int64_t first, batch, groups, in_channels, out_channels;
  bool depthwise, by_rank;
  int64_t parts, blocks, block, columns;
  bool adds;    // to sums of images before
  float* sums;  // [groups, parts, in_channels rank, columns]

  ALWAYS_INLINE int64_t items() const { return depthwise ? parts : groups * parts * blocks; }
  ALWAYS_INLINE int64_t group_numbers() const { return in_channels * table.rank * columns; }
};

// The gradient of the table, added to. Items are parts of the outputs.
struct PixelwiseTable {
  NeighborTable table;
  Field from, grad;  // of both, the channels lie together
  int64_t first, batch, groups, in_channels, out_channels;
  bool depthwise;
  const void* head;  // [out_channels, in_channels rank], packed
  int64_t head_bytes;
  int64_t parts;
  int64_t numbers;  // from the sums of a part to those of the next; 0 if no two share any
  float* sums;
};

struct PixelwiseKernels {
  size_t (*stage_scratch)(const Staging& s);
  void (*stage)(const Staging& s, int64_t begin, int64_t end, void* scratch);
  size_t (*forward_scratch)(const Pixelwise& s);
  void (*forward)(const Pixelwise& s, int64_t begin, int64_t end, void* scratch);
  size_t (*head_scratch)(const PixelwiseHead& s);
  void (*head)(const PixelwiseHead& s, int64_t begin, int64_t end, void* scratch);
  size_t (*table_scratch)(const PixelwiseTable& s);
  void (*table)(const PixelwiseTable& s, int64_t begin, int64_t end, void* scratch);
};

}  // namespace contconv
