// Eq. 2 in whole numbers: the pixels under the kernel, along one axis.
#pragma once
#include <cstdint>

namespace contconv {

enum class Padding : int32_t { zeros = 0, reflect = 1, replicate = 2, circular = 3, symmetric = 4 };

// An axis as contconv has it: output n falls at 2 down n + start, in units of 1 / (2 up)
// pixels, and the kernel reaches so far to both sides.
struct AxisNumbers {
  int64_t in, out, up, down, reach, start;
  bool stretched;
  Padding padding;
};

inline int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// The pixel that stands for one of any index, or -1.
inline int64_t source_of(int64_t index, int64_t size, Padding padding) {
  if (index >= 0 && index < size) return index;
  switch (padding) {
    case Padding::zeros: return -1;
    case Padding::replicate: return index < 0 ? 0 : size - 1;
    case Padding::circular: return index - floor_div(index, size) * size;
    case Padding::reflect: {
      if (size == 1) return 0;
      const int64_t period = 2 * size - 2, folded = index - floor_div(index, period) * period;
      return folded < period - folded ? folded : period - folded;
    }
    default: {
      const int64_t period = 2 * size, folded = index - floor_div(index, period) * period;
      return folded < period - 1 - folded ? folded : period - 1 - folded;
    }
  }
}

// The taps of output n: those that count, in the order of the pixels. Returns how many,
// which may be more than the `most` that are written.
inline int64_t taps_of(const AxisNumbers& axis, int64_t n, int64_t most, int32_t* source,
                       float* distance, float* weight) {
  const int64_t unit = 2 * axis.up, position = 2 * axis.down * n + axis.start;
  const double width = double(axis.stretched ? 2 * axis.down : unit);
  const float scale = axis.stretched ? float(double(axis.up) / double(axis.down)) : 1.0f;
  int64_t pixel = -floor_div(axis.reach - position, unit), count = 0;
  for (;; pixel++) {
    const int64_t off = position - unit * pixel, edge = axis.reach - (off < 0 ? -off : off);
    if (edge < 0) return count;
    const int64_t from = source_of(pixel, axis.in, axis.padding);
    if (from < 0) continue;
    if (count < most) {
      source[count] = int32_t(from);
      distance[count] = float(double(off) / width);
      weight[count] = (edge == 0 ? 0.5f : 1.0f) * scale;
    }
    count++;
  }
}

}  // namespace contconv
