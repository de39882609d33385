// What a warp is made of: an image sampled through a map, by a classical kernel. Plain data.
#pragma once
#include "call.h"
#include "taps.h"

namespace contconv {

enum class Classical : int32_t { box = 0, linear = 1, cubic = 2, lanczos = 3 };

// Planes [maps, planes, in_y, in_x], contiguous, to [maps, planes, out_y, out_x]. Items are
// rows of outputs of a map.
struct Warp {
  const float* image;
  float* out;
  int64_t maps, planes, in_y, in_x, out_y, out_x;
  // [maps, rows, 3], or displacements [maps, out_y, out_x, 2]; of doubles or floats.
  const void* map;
  bool is_double;
  int64_t rows;  // of a matrix: 2 or 3; 0 for displacements
  Classical kernel;
  double parameter;  // of the cubic; the lobes
  int64_t support;
  double slack;  // so near to the edge of the support a pixel lies on it
  Padding padding;

  ALWAYS_INLINE int64_t items() const { return maps * out_y; }
  ALWAYS_INLINE int64_t taps() const { return support + (kernel == Classical::box); }
};

// Gradients of a warp without `out`. Of the image, items are bands of the rows of an image;
// of the places, rows of outputs of a map.
struct WarpGradients {
  Warp warp;
  const float* grad;  // [maps, planes, out_y, out_x]
  float* image;       // [maps, planes, in_y, in_x], zeros; or nullptr
  float* places;      // [maps, out_y, out_x, 2]
  int64_t bands;
};

}  // namespace contconv
