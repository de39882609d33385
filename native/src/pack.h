// The head, packed as `multiply` takes it.
#pragma once
#include "matmul.h"
#include "transpose.h"

namespace contconv::CONTCONV_ISA {

// An index of up to four digits, the last fastest, and the step of each in the head.
struct Digits {
  int64_t size[4], step[4];

  int64_t offset(int64_t index) const {
    int64_t at = 0;
    for (int d = 3; d >= 0; d--) {
      at += index % size[d] * step[d];
      index /= size[d];
    }
    return at;
  }
};

// Where row k and column n of the matrix lie in head[o, c, z, y, x].
struct HeadIndex {
  Digits depth, columns;

  explicit HeadIndex(const Separable& s) {
    const int64_t o = s.out_channels, c = s.in_channels;
    const int64_t rz = s.z.rank, ry = s.y.rank, rx = s.x.rank;
    const int64_t z = ry * rx, y = rx, x = 1, in = rz * z, out = c * in;
    switch (s.order) {
      case Order::contract:
        depth = {{1, 1, 1, c}, {0, 0, 0, in}};
        columns = {{rx, rz, ry, o}, {x, z, y, out}};
        break;
      default:
        depth = {{1, rz, rx, c}, {0, z, x, in}};
        columns = {{1, 1, ry, o}, {0, 0, y, out}};
    }
  }
};

// Where the number (c, z, y, x) of every channel out goes: which row of the matrix, and
// the column of the first channel.
struct Place {
  int64_t row, column;
};

INLINE Place place_of(const Separable& s, int64_t c, int64_t z, int64_t y, int64_t x) {
  switch (s.order) {
    case Order::contract: return {c, ((x * s.z.rank + z) * s.y.rank + y) * s.out_channels};
    case Order::between: return {(z * s.x.rank + x) * s.in_channels + c, y * s.out_channels};
    default: return {((y * s.z.rank + z) * s.x.rank + x) * s.in_channels + c, 0};
  }
}

// V channels out, from o on: V of their numbers that follow each other are turned at a time.
static void turn(const Separable& s, const float* head, int64_t o, float* packed) {
  const HeadShape shape = head_shape(s);
  const int64_t present = smaller(V, s.out_channels - o);
  const int64_t row = s.in_channels * s.z.rank * s.y.rank * s.x.rank;
  int64_t c = 0, z = 0, y = 0, x = 0;  // of the number that comes next
  for (int64_t i = 0; i < row; i += V) {
    const int64_t count = smaller(V, row - i);
    vf block[V];
    for (int64_t k = 0; k < V; k++) {
      const float* from = head + (o + k) * row + i;
      block[k] = k >= present ? zero() : count == V ? load(from) : load_first(from, count);
    }
    transpose(block);
    for (int64_t j = 0; j < count; j++) {
      const Place to = place_of(s, c, z, y, x);
      const int64_t n = to.column + o, first = n / (2 * V) * (2 * V);
      const int64_t width = smaller(2 * V, packed_columns(shape.columns) - first);
      store(packed + first * shape.depth + to.row * width + n - first, block[j]);
      if (++x < s.x.rank) continue;
      x = 0;
      if (++y < s.y.rank) continue;
      y = 0;
      if (++z == s.z.rank) z = 0, c++;
    }
  }
}

// One number at a time: where the channels out fill no vectors.
static void gather_panel(const HeadIndex& index, const float* head, HeadShape shape, int64_t n0,
                         int64_t width, float* panel) {
  const int64_t present = smaller(width, shape.columns - n0);
  int64_t at[2 * V];
  for (int64_t j = 0; j < present; j++) at[j] = index.columns.offset(n0 + j);
  for (int64_t k = 0; k < shape.depth; k++) {
    const float* from = head + index.depth.offset(k);
    for (int64_t j = 0; j < present; j++) panel[k * width + j] = from[at[j]];
    for (int64_t j = present; j < width; j++) panel[k * width + j] = 0;
  }
}

INLINE bool rounds_panels(const Separable& s) {
  return CONTCONV_HALF_PRODUCT && s.type == Type::bfloat16;
}

// To bfloat16, for a product of those.
static void round_panel(const Separable& s, float* panel, int64_t depth, int64_t width) {
#if CONTCONV_HALF_PRODUCT
  if (s.type == Type::bfloat16) halve_panel(panel, depth, width);
#else
  (void)s, (void)panel, (void)depth, (void)width;
#endif
}

// Panels begin to end of the matrix; or as large a part of it, where V channels out at a
// time belong to several panels.
static void pack_float(const Separable& s, const float* head, float* packed, int64_t begin,
                       int64_t end) {
  const HeadShape shape = head_shape(s);
  const int64_t blocks = packed_columns(s.out_channels) / V;
  if (s.order == Order::expand) {
    for (int64_t b = 2 * begin; b < smaller(2 * end, blocks); b++) turn(s, head, b * V, packed);
  } else if (s.out_channels % V == 0 && !rounds_panels(s)) {
    const int64_t panels = (packed_columns(shape.columns) / V + 1) / 2;
    for (int64_t b = blocks * begin / panels; b < blocks * end / panels; b++)
      turn(s, head, b * V, packed);
    return;
  }
  const HeadIndex index(s);
  for (int64_t n0 = begin * 2 * V; n0 < smaller(end * 2 * V, shape.columns); n0 += 2 * V) {
    const int64_t width = smaller(2 * V, packed_columns(shape.columns) - n0);
    float* panel = packed + n0 * shape.depth;
    if (s.order != Order::expand) gather_panel(index, head, shape, n0, width, panel);
    round_panel(s, panel, shape.depth, width);
  }
}

}  // namespace contconv::CONTCONV_ISA
