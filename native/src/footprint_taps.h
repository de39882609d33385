// The neighbors of a pixel under a stretched kernel, and their weights, row by row.
#pragma once
#include "call_footprint.h"
#include "classical.h"
#include "memory.h"

namespace contconv::CONTCONV_ISA {

constexpr int64_t FOOTPRINT_TAPS = 256;  // of a row at a time

template <Classical K>
class FootprintTaps {
 protected:
  FootprintTaps(const FootprintSums& call, Arena& arena) : s(call.of.warp), to(call) {
    weight = arena.take<float>(FOOTPRINT_TAPS);
    gathered = arena.take<float>(FOOTPRINT_TAPS);
    column = arena.take<int64_t>(FOOTPRINT_TAPS);
    for (int i = 0; i < V; i++) lane[i] = float(i);
  }

  // Where an output has its neighbors; false if nowhere.
  bool look(int64_t pixel) {
    if (s.is_double) return look_at<double>(pixel);
    return look_at<float>(pixel);
  }

  // Row `j` of the neighbors: which of them may have weights.
  void begin_row(int64_t j) {
    off_y = float(rest_y - double(j));
    source = source_of(first_y + j, s.in_y, s.padding);
    begin = 0, end = taps_x;
    if (taps_x <= V) return;
    const float half = float(s.support) / 2;
    float low = float(rest_x - double(taps_x)), high = float(rest_x);
    narrow_to(inverse[0] * off_y, inverse[1], half, low, high);
    narrow_to(inverse[2] * off_y, inverse[3], half, low, high);
    // Rounding is less than a pixel.
    begin = larger(0, int64_t(rest_x - double(high)) - 1);
    end = smaller(taps_x, int64_t(rest_x - double(low)) + 3);
  }

  // The weights of `count` neighbors from `k` on, zeros up to a whole vector; their sums.
  vf weigh(int64_t k, int64_t count) {
    vf sum = zero();
    for (int64_t i = 0; i < count; i += V) {
      const vf x = off_x(k + i), y = splat(off_y);
      const vf w = classical<K, V>(s, inverse[0] * y + inverse[1] * x) *
                   classical<K, V>(s, inverse[2] * y + inverse[3] * x);
      const vf counted = lane < splat(float(count - i)) ? w : zero();
      store(weight + i, counted);
      sum += counted;
    }
    return sum;
  }

  vf off_x(int64_t k) const { return splat(float(rest_x - double(k))) - lane; }

  // Whether `count` neighbors from `k` on lie in the image; if not, their columns are found.
  bool is_inside(int64_t k, int64_t count) {
    const int64_t first = first_x + k;
    if (first >= 0 && first + count <= s.in_x) return true;
    for (int64_t i = 0; i < count; i++) column[i] = source_of(first + i, s.in_x, s.padding);
    return false;
  }

  // Their pixels in a plane; those that are outside are 0.
  const float* pixels(const float* plane, int64_t k, int64_t count, bool inside) {
    const float* row = plane + source * s.in_x;
    if (inside) return row + first_x + k;
    for (int64_t i = 0; i < count; i++) gathered[i] = column[i] < 0 ? 0 : row[column[i]];
    return gathered;
  }

  static vf numbers(const float* from, int64_t left) {
    return left >= V ? load(from) : load_first(from, left);
  }

  // 0 in lanes where a mask is.
  static vf kept(vf value, vi mask) {
    return reinterpret_cast<vf>(reinterpret_cast<vi>(value) & mask);
  }

  static float sum_of(vf value) {
    float sum = 0;
    for (int i = 0; i < V; i++) sum += value[i];
    return sum;
  }

  const Warp& s;
  const FootprintSums& to;
  double rest_y, rest_x;
  int64_t first_y, first_x, taps_y, taps_x;
  float inverse[4];
  float off_y;
  int64_t source, begin, end;  // of the row
  float *weight, *gathered;
  int64_t* column;
  vf lane;

 private:
  template <class T>
  bool look_at(int64_t pixel) {
    constexpr double far = 1 << 30;
    const T* at = static_cast<const T*>(to.of.points) + 2 * pixel;
    const T* around = static_cast<const T*>(to.of.reach) + 2 * pixel;
    const double y = at[0], x = at[1], over_y = around[0], over_x = around[1];
    const bool seen = magnitude(y) < far && magnitude(x) < far && over_y > 0 && over_y < far &&
                      over_x > 0 && over_x < far;
    if (!seen) return false;
    const double low_y = __builtin_ceil(y - over_y), low_x = __builtin_ceil(x - over_x);
    first_y = int64_t(low_y), first_x = int64_t(low_x);
    rest_y = y - low_y, rest_x = x - low_x;
    taps_y = int64_t(2 * over_y) + 1, taps_x = int64_t(2 * over_x) + 1;
    memcpy(inverse, to.of.inverse + 4 * pixel, sizeof(inverse));
    return true;
  }

  // To where |from + slope x| <= half.
  static void narrow_to(float from, float slope, float half, float& low, float& high) {
    if (magnitude(slope) < 1e-4f) return;
    const float a = (-half - from) / slope, b = (half - from) / slope;
    const float least = a < b ? a : b, most = a < b ? b : a;
    low = least > low ? least : low;
    high = most < high ? most : high;
    high = high < low ? low : high;
  }
};

}  // namespace contconv::CONTCONV_ISA
