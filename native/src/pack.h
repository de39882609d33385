// The head, packed as `multiply` takes it.
#pragma once
#include "matmul.h"

namespace contconv::CONTCONV_ISA {

// An index of up to five digits, the last fastest, and the step of each in the head.
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

static void pack_float(const Separable& s, const float* head, float* packed) {
  const HeadShape shape = head_shape(s);
  const HeadIndex index(s);
  for (int64_t n0 = 0; n0 < shape.columns; n0 += 2 * V) {
    const int64_t width = smaller(2 * V, packed_columns(shape.columns) - n0);
    const int64_t present = smaller(width, shape.columns - n0);
    int64_t at[2 * V];
    for (int64_t j = 0; j < present; j++) at[j] = index.columns.offset(n0 + j);
    float* to = packed + n0 * shape.depth;
    for (int64_t k = 0; k < shape.depth; k++) {
      const float* from = head + index.depth.offset(k);
      for (int64_t j = 0; j < present; j++) to[k * width + j] = from[at[j]];
      for (int64_t j = present; j < width; j++) to[k * width + j] = 0;
    }
  }
}

}  // namespace contconv::CONTCONV_ISA
