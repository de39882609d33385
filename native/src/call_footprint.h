// What a warp is made of whose kernels are stretched, each by a matrix of its own.
#pragma once
#include "call_warp.h"

namespace contconv {

// Through one map. Items are rows of outputs, in an order that gives each thread some of
// all parts: towards a horizon rows take ever longer.
struct Footprints {
  Warp warp;  // without a map
  // [out_y, out_x, 2] each, of doubles or floats: where the pixels look, NaN if nowhere, and
  // how far their neighbors lie away at most.
  const void *points, *reach;
  const float* inverse;  // [out_y, out_x, 2, 2]: from pixels to those of the kernel

  static constexpr int64_t APART = 32;
  ALWAYS_INLINE int64_t rows() const { return (warp.out_y + APART - 1) / APART; }
  ALWAYS_INLINE int64_t items() const { return rows() * APART; }
  // That of an item, which may be none.
  ALWAYS_INLINE int64_t row(int64_t item) const { return item % rows() * APART + item / rows(); }
};

enum class FootprintWork : int32_t { output, totals, image, places };

// What is summed, and where it goes.
struct FootprintSums {
  Footprints of;
  FootprintWork work;
  const float* grad;  // [planes, out_y, out_x]
  float* totals;      // [out_y, out_x]: the inverse of the sum of a pixel's weights
  float* image;       // [planes, in_y, in_x], zeros; items are bands of rows of the image
  float* points;      // [out_y, out_x, 2], the gradients of both
  float* inverse;     // [out_y, out_x, 2, 2]
  int64_t bands;

  ALWAYS_INLINE int64_t items() const { return work == FootprintWork::image ? bands : of.items(); }
};

struct FootprintKernels {
  size_t (*scratch)(const FootprintSums& s);
  void (*run)(const FootprintSums& s, int64_t begin, int64_t end, void* scratch);
};

}  // namespace contconv
