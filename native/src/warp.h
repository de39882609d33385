// An image sampled through a map: places and weights of some pixels of a row, then their
// sums in one plane after the other.
#pragma once
#include "classical.h"
#include "memory.h"

namespace contconv::CONTCONV_ISA {

constexpr int64_t WARP_PIXELS = 128;  // of a row at a time

// Of one pixel: where its neighbors begin, and their weights along both axes, L of each.
// The place is in the image; or SLOW if a neighbor is outside or has no weight; or NOWHERE.
constexpr int64_t SLOW = -1, NOWHERE = -2;

template <int L>
class Warped {
  typedef typename Lanes<L>::type vector;
  typedef typename Lanes<L>::unaligned unaligned;
  typedef typename Lanes<L>::mask mask;

 public:
  Warped(const Warp& call, Arena& arena) : s(call) {
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

  void run(int64_t item) {
    const int64_t m = item / s.out_y, oy = item % s.out_y;
    const int64_t in = s.in_y * s.in_x, out = s.out_y * s.out_x;
    for (int64_t begin = 0; begin < s.out_x; begin += WARP_PIXELS) {
      const int64_t count = smaller(WARP_PIXELS, s.out_x - begin);
      if (s.is_double)
        find(static_cast<const double*>(s.map), m, oy, begin, count);
      else
        find(static_cast<const float*>(s.map), m, oy, begin, count);
      switch (s.kernel) {
        case Classical::box: weigh<Classical::box>(count); break;
        case Classical::linear: weigh<Classical::linear>(count); break;
        case Classical::cubic: weigh<Classical::cubic>(count); break;
        default: weigh<Classical::lanczos>(count);
      }
      for (int64_t c = 0; c < s.planes; c++)
        sum(s.image + (m * s.planes + c) * in, count,
            s.out + (m * s.planes + c) * out + oy * s.out_x + begin);
    }
  }

 private:
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
  void weigh(int64_t count) {
    typedef typename Lanes<2 * L>::type both;
    typedef typename Lanes<2 * L>::mask lanes;
    begin(count);
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

  static void normalize(typename Lanes<2 * L>::type& w) {
    float total[2] = {0, 0};
    for (int k = 0; k < 2 * L; k++) total[k / L] += w[k];
    for (int k = 0; k < 2 * L; k++) w[k] /= total[k / L];
  }

  void sum(const float* plane, int64_t count, float* out) const {
    const int64_t taps = s.taps();
    if (taps == 4) {
      sum_taps<4>(plane, count, out);
    } else if (taps == 2) {
      sum_taps<2>(plane, count, out);
    } else {
      sum_taps<0>(plane, count, out);
    }
  }

  typedef Lanes<4>::type four;

  // The sums of four pixels, each of its own four numbers.
  static four sums_of(four a, four b, four c, four d) {
    const four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const four cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
    return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  }

  // T rows, or as many as there are taps if it is 0.
  template <int T>
  void sum_taps(const float* plane, int64_t count, float* out) const {
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
      const int64_t* at = place + i;
      if ((at[0] | at[1] | at[2] | at[3]) < 0) {
        for (int64_t j = i; j < i + 4; j++) out[j] = one<T>(plane, j);
        continue;
      }
      const four sums = sums_of(numbers<T>(plane, i), numbers<T>(plane, i + 1),
                                numbers<T>(plane, i + 2), numbers<T>(plane, i + 3));
      *reinterpret_cast<Lanes<4>::unaligned*>(out + i) = sums;
    }
    for (; i < count; i++) out[i] = one<T>(plane, i);
  }

  template <int T>
  float one(const float* plane, int64_t i) const {
    if (place[i] == NOWHERE) return 0;
    if (place[i] == SLOW) return at_edge(plane, i);
    const four sums = numbers<T>(plane, i);
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
  }

  // Four numbers whose sum is that of the pixel.
  template <int T>
  ALWAYS_INLINE four numbers(const float* plane, int64_t i) const {
    const int64_t taps = T ? T : s.taps();
    const float *from = plane + place[i], *wy = weight + i * 2 * L;
    vector total{};
    UNROLL
    for (int64_t j = 0; j < taps; j++) {
      vector row = *reinterpret_cast<const unaligned*>(from + j * s.in_x);
      // What lies behind the last tap may be no number.
      if constexpr (T != L) row = reinterpret_cast<vector>(reinterpret_cast<mask>(row) & within);
      total += row * wy[j];
    }
    total *= vector(*reinterpret_cast<const unaligned*>(wy + L));
    if constexpr (L == 4) {
      return total;
    } else {
      return __builtin_shufflevector(total, total, 0, 1, 2, 3) +
             __builtin_shufflevector(total, total, 4, 5, 6, 7);
    }
  }

  float at_edge(const float* plane, int64_t i) const {
    const float *wy = weight + i * 2 * L, *wx = wy + L;
    float total = 0;
    for (int64_t j = 0; j < s.taps(); j++) {
      const int64_t row = source_of(first_y[i] + j, s.in_y, s.padding);
      if (row < 0 || wy[j] == 0) continue;
      float line = 0;
      for (int64_t k = 0; k < s.taps(); k++) {
        const int64_t column = source_of(first_x[i] + k, s.in_x, s.padding);
        if (column >= 0 && wx[k] != 0) line += plane[row * s.in_x + column] * wx[k];
      }
      total += line * wy[j];
    }
    return total;
  }

  const Warp& s;
  double *y, *x;
  int64_t* place;
  int32_t *first_y, *first_x;
  float *rest_y, *rest_x, *weight;
  mask within;  // which lanes are taps
};

}  // namespace contconv::CONTCONV_ISA
