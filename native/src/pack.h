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
      case Order::expand:
        depth = {{ry, rz, rx, c}, {y, z, x, in}};
        columns = {{1, 1, 1, o}, {0, 0, 0, out}};
        break;
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

// A panel of the order `expand`: head[o, (c, z, y, x)] to [(y, z, x, c), o].
static void turn_panel(const Separable& s, const float* head, int64_t present, int64_t width,
                       float* panel) {
  const int64_t rz = s.z.rank, ry = s.y.rank, rx = s.x.rank, rank = rz * ry * rx;
  const int64_t row = s.in_channels * rank;
  int64_t c = 0, r = 0;  // of the number that comes next
  for (int64_t i = 0; i < row; i += V) {
    const int64_t count = smaller(V, row - i);
    int64_t depth[V];
    for (int64_t j = 0; j < count; j++) {
      const int64_t y = r / rx % ry, z = r / rx / ry, x = r % rx;
      depth[j] = ((y * rz + z) * rx + x) * s.in_channels + c;
      if (++r == rank) r = 0, c++;
    }
    for (int64_t o = 0; o < width; o += V) {
      vf block[V];
      for (int64_t k = 0; k < V; k++) {
        const float* from = head + (o + k) * row + i;
        block[k] = o + k >= present ? zero() : count == V ? load(from) : load_first(from, count);
      }
      transpose(block);
      for (int64_t j = 0; j < count; j++) store(panel + depth[j] * width + o, block[j]);
    }
  }
}

// To bfloat16, for a product of those.
static void round_panel(const Separable& s, float* panel, int64_t depth, int64_t width) {
#if CONTCONV_HALF_PRODUCT
  if (s.type == Type::bfloat16) halve_panel(panel, depth, width);
#else
  (void)s, (void)panel, (void)depth, (void)width;
#endif
}

// Panels begin to end of the matrix. Where the columns are the channels out, V of them by
// V numbers that follow each other in the head are turned at a time.
static void pack_float(const Separable& s, const float* head, float* packed, int64_t begin,
                       int64_t end) {
  const HeadShape shape = head_shape(s);
  const HeadIndex index(s);
  const int64_t rank = s.z.rank * s.y.rank * s.x.rank, row = s.in_channels * rank;
  for (int64_t n0 = begin * 2 * V; n0 < smaller(end * 2 * V, shape.columns); n0 += 2 * V) {
    const int64_t width = smaller(2 * V, packed_columns(shape.columns) - n0);
    float* panel = packed + n0 * shape.depth;
    if (s.order == Order::expand) {
      turn_panel(s, head + n0 * row, smaller(width, shape.columns - n0), width, panel);
      round_panel(s, panel, shape.depth, width);
      continue;
    }
    const int64_t present = smaller(width, shape.columns - n0);
    int64_t at[2 * V];
    for (int64_t j = 0; j < present; j++) at[j] = index.columns.offset(n0 + j);
    for (int64_t k = 0; k < shape.depth; k++) {
      const float* from = head + index.depth.offset(k);
      for (int64_t j = 0; j < present; j++) panel[k * width + j] = from[at[j]];
      for (int64_t j = present; j < width; j++) panel[k * width + j] = 0;
    }
    round_panel(s, panel, shape.depth, width);
  }
}

}  // namespace contconv::CONTCONV_ISA
