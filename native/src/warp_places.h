// A map: where some pixels of a row look, and the weights of their neighbors.
#pragma once
#include "classical.h"
#include "memory.h"

namespace contconv::CONTCONV_ISA {

constexpr int64_t WARP_PIXELS = 128;  // of a row at a time

// Of one pixel: where its neighbors begin, and their weights along both axes, L of each.
// The place is in the image; or SLOW if a neighbor is outside or has no weight; or NOWHERE.
constexpr int64_t SLOW = -1, NOWHERE = -2;

template <int L>
class WarpPlaces {
 protected:
  typedef typename Lanes<L>::type vector;
  typedef typename Lanes<L>::unaligned unaligned;
  typedef typename Lanes<L>::mask mask;

  WarpPlaces(const Warp& call, Arena& arena) : s(call) {
    y = arena.take<double>(WARP_PIXELS);
    x = arena.take<double>(WARP_PIXELS);
    place = arena.take<int64_t>(WARP_PIXELS);
    first_y = arena.take<int32_t>(WARP_PIXELS);
    first_x = arena.take<int32_t>(WARP_PIXELS);
    rest_y = arena.take<float>(WARP_PIXELS);
    rest_x = arena.take<float>(WARP_PIXELS);
    weight = arena.take<float>(WARP_PIXELS, 2 * L);
    for (int i = 0; i < L; i++) within[i] = i < s.taps() ? -1 : 0;
  }

  // The places of `count` pixels of row `oy`, from `first` on.
  void look(int64_t m, int64_t oy, int64_t first, int64_t count) {
    if (s.is_double)
      find(static_cast<const double*>(s.map), m, oy, first, count);
    else
      find(static_cast<const float*>(s.map), m, oy, first, count);
    begin(count);
  }

  // Their weights.
  void weigh(int64_t count) {
    switch (s.kernel) {
      case Classical::box: weigh_by<Classical::box>(count); break;
      case Classical::linear: weigh_by<Classical::linear>(count); break;
      case Classical::cubic: weigh_by<Classical::cubic>(count); break;
      default: weigh_by<Classical::lanczos>(count);
    }
  }

  static constexpr double FAR = 1 << 30;
  static double size_of(double number) { return number < 0 ? -number : number; }

  // Where the pixels look; what is at infinity or behind the camera is NaN.
  template <class T>
  void find(const T* map, int64_t m, int64_t oy, int64_t begin, int64_t count) {
    const double none = __builtin_nan("");
    if (s.rows == 0) {
      const T* flow = map + ((m * s.out_y + oy) * s.out_x + begin) * 2;
      for (int64_t i = 0; i < count; i++) {
        const double dy = flow[2 * i], dx = flow[2 * i + 1];
        const bool exists = size_of(dy) < FAR && size_of(dx) < FAR;
        y[i] = exists ? dy + double(oy) : none;
        x[i] = exists ? dx + double(begin + i) : none;
      }
      return;
    }
    const T* a = map + m * s.rows * 3;
    const double q = double(oy);
    for (int64_t i = 0; i < count; i++) {
      const double p = double(begin + i);
      y[i] = q * double(a[0]) + p * double(a[1]) + double(a[2]);
      x[i] = q * double(a[3]) + p * double(a[4]) + double(a[5]);
    }
    for (int64_t i = 0; i < count; i++)
      if (s.rows == 2 && !(size_of(y[i]) < FAR && size_of(x[i]) < FAR)) y[i] = x[i] = none;
    if (s.rows == 3) project(a, q, begin, count);
  }

  template <class T>
  void project(const T* a, double q, int64_t begin, int64_t count) {
    const double none = __builtin_nan("");
    double most = 0, tilt = 0;
    for (int r = 0; r < 2; r++)
      for (int c = 0; c < 2; c++) {
        most = size_of(a[3 * r + c]) > most ? size_of(a[3 * r + c]) : most;
        tilt = size_of(a[6 + c]) > tilt ? size_of(a[6 + c]) : tilt;
      }
    for (int64_t i = 0; i < count; i++) {
      const double depth = q * double(a[6]) + double(begin + i) * double(a[7]) + double(a[8]);
      const double py = y[i] / depth, px = x[i] / depth;
      const bool exists = depth > 0 && size_of(py) < FAR && size_of(px) < FAR &&
                          (most + size_of(py) * tilt) / depth < FAR &&
                          (most + size_of(px) * tilt) / depth < FAR;
      y[i] = exists ? py : none;
      x[i] = exists ? px : none;
    }
  }

  // The lowest pixels in the support, and how far they are; in loops that fill vectors.
  void begin(int64_t count) {
    const double half = double(s.support) / 2;
    for (int64_t i = 0; i < count; i++) {
      // What is nowhere is somewhere for now.
      place[i] = y[i] == y[i] ? SLOW : NOWHERE;
      y[i] = y[i] == y[i] ? y[i] : 0;
      x[i] = x[i] == x[i] ? x[i] : 0;
    }
    const bool ties = s.kernel == Classical::box;
    along(y, first_y, rest_y, ties, half, count);
    along(x, first_x, rest_x, ties, half, count);
    const int64_t taps = s.taps();
    for (int64_t i = 0; i < count; i++) {
      const int64_t low_y = first_y[i], low_x = first_x[i];
      const bool inside =
          (low_y >= 0) & (low_x >= 0) & (low_y + taps <= s.in_y) & (low_x + L <= s.in_x);
      place[i] = (place[i] == SLOW) & inside ? low_y * s.in_x + low_x : place[i];
    }
  }

  void along(const double* at, int32_t* first, float* rest, bool ties, double half,
             int64_t count) const {
    for (int64_t i = 0; i < count; i++) {
      const double low = ties ? __builtin_ceil(at[i] - (half + s.slack))
                              : __builtin_floor(at[i] - half) + 1;
      first[i] = int32_t(low);
      rest[i] = float(at[i] - low);
    }
  }

  template <Classical K>
  void weigh_by(int64_t count) {
    typedef typename Lanes<2 * L>::type both;
    typedef typename Lanes<2 * L>::mask lanes;
    const int64_t taps = s.taps();
    both step;
    lanes is_x, counts;
    for (int i = 0; i < 2 * L; i++)
      step[i] = float(i % L), is_x[i] = i < L ? 0 : -1, counts[i] = i % L < taps ? -1 : 0;
    for (int64_t i = 0; i < count; i++) {
      const both d = (is_x != 0 ? both{} + rest_x[i] : both{} + rest_y[i]) - step;
      both w = classical<K, 2 * L>(s, d);
      // The others sum to one already.
      if constexpr (K == Classical::box || K == Classical::lanczos) normalize(w);
      *reinterpret_cast<typename Lanes<2 * L>::unaligned*>(weight + i * 2 * L) = w;
      const lanes none = (w == 0) & counts;
      int32_t any = 0;
      UNROLL
      for (int k = 0; k < 2 * L; k++) any |= none[k];
      place[i] = any != 0 && place[i] >= 0 ? SLOW : place[i];
    }
  }

  // The derivatives of the weights, along both axes.
  template <Classical K>
  void slopes(int64_t count, float* to) const {
    typedef typename Lanes<2 * L>::type both;
    for (int64_t i = 0; i < count; i++) {
      both d{};
      for (int k = 0; k < 2 * L; k++) d[k] = (k < L ? rest_y[i] : rest_x[i]) - float(k % L);
      const both value = classical<K, 2 * L>(s, d);
      both slope = classical_slope<K, 2 * L>(s, d);
      for (int half = 0; half < 2 * L; half += L) {
        float total = 0, change = 0;
        for (int k = half; k < half + L; k++) {
          slope[k] = within[k - half] ? slope[k] : 0.0f;
          total += value[k], change += slope[k];
        }
        for (int k = half; k < half + L; k++)
          slope[k] = within[k - half] ? (slope[k] - value[k] * (change / total)) / total : 0.0f;
      }
      *reinterpret_cast<typename Lanes<2 * L>::unaligned*>(to + i * 2 * L) = slope;
    }
  }

  static void normalize(typename Lanes<2 * L>::type& w) {
    float total[2] = {0, 0};
    for (int k = 0; k < 2 * L; k++) total[k / L] += w[k];
    for (int k = 0; k < 2 * L; k++) w[k] /= total[k / L];
  }

  const Warp& s;
  double *y, *x;
  int64_t* place;
  int32_t *first_y, *first_x;
  float *rest_y, *rest_x, *weight;
  mask within;  // which lanes are taps
};

}  // namespace contconv::CONTCONV_ISA
